package cli

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// spanFlags bound a time that is past.
type spanFlags struct{ since, until string }

// register adds --since, with what it does, and --until.
func (f *spanFlags) register(cmd *cobra.Command, since string) {
	cmd.Flags().StringVar(&f.since, "since", "", since+": a span back from now (24h, 7d), a day (2026-07-01) or a time (RFC 3339)")
	cmd.Flags().StringVar(&f.until, "until", "", "only until `WHEN`, likewise; a day counts to its end, in UTC")
}

// parse returns nil for a bound that is not set.
func (f *spanFlags) parse(now time.Time) (from, to *time.Time, err error) {
	if from, err = parsePast("since", f.since, now, 0); err != nil {
		return nil, nil, err
	}
	if to, err = parsePast("until", f.until, now, day); err != nil {
		return nil, nil, err
	}
	if from != nil && to != nil && !from.Before(*to) {
		return nil, nil, misuse("exchange them", "--since %q is not before --until %q", f.since, f.until)
	}
	return from, to, nil
}

const pastHint = "use a span back from now such as 24h or 7d, a day such as 2026-07-01, or an RFC 3339 time"

// parsePast returns the time that a flag stands for, nil where it is empty. A
// day stands for its beginning and as much of it as is added.
func parsePast(flag, text string, now time.Time, ofDay time.Duration) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	now = now.UTC()
	if date, err := time.Parse(time.DateOnly, text); err == nil {
		date = date.Add(ofDay)
		return &date, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		at = at.UTC()
		return &at, nil
	}
	if span := longSpan.FindStringSubmatch(text); span != nil {
		count, err := strconv.Atoi(span[1])
		at := addSpan(now, -count, span[2])
		if err == nil && at.Year() > 0 {
			return &at, nil
		}
	}
	if span, err := time.ParseDuration(text); err == nil && span >= 0 {
		at := now.Add(-span)
		return &at, nil
	}
	return nil, misuse(pastHint, "--%s %q: is neither a span nor a time", flag, text)
}
