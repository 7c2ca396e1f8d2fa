package cli

import (
	"encoding/json"
	"net/http"

	"github.com/spf13/cobra"
)

// The largest page that the admin API gives, and what is listed where nothing
// else is asked for.
const (
	maxPage      = 500
	defaultLimit = 50
)

// pageFlags say how much of a listing to show.
type pageFlags struct {
	limit int
	all   bool
}

// register adds --limit and --all for a listing of what.
func (f *pageFlags) register(cmd *cobra.Command, what string) {
	cmd.Flags().IntVar(&f.limit, "limit", defaultLimit, "the largest `NUMBER` of "+what+" to list")
	cmd.Flags().BoolVar(&f.all, "all", false, "list all "+what)
	exclusive(cmd, "limit", "all")
}

func (f *pageFlags) check(what string) error {
	if f.limit < 1 {
		return misuse("use --all to list all "+what, "--limit %d: must be at least 1", f.limit)
	}
	return nil
}

// listing is a part of a list as the admin API gives it, with the records as
// they came.
type listing struct {
	Data       []json.RawMessage `json:"data"`
	NextCursor *string           `json:"nextCursor"`
	// Dropped is how many lines an access log had no room for; nil elsewhere.
	Dropped *int64 `json:"dropped,omitempty"`
}

// fetch reads pages until there are as many records as were asked for. A page
// that is short or empty is not the last unless it says so.
func (f *pageFlags) fetch(c *connection, operation string, get func(size int, cursor *string) (*http.Response, error)) (listing, error) {
	all := listing{Data: []json.RawMessage{}}
	for {
		size := maxPage
		if !f.all {
			size = min(maxPage, f.limit-len(all.Data))
		}
		answer, err := get(size, all.NextCursor) //nolint:bodyclose // result closes it
		page, _, err := result[listing](c, operation, answer, err)
		if err != nil {
			return listing{}, err
		}
		all.Data = append(all.Data, page.Data...)
		all.NextCursor, all.Dropped = page.NextCursor, page.Dropped
		if page.NextCursor == nil || (!f.all && len(all.Data) >= f.limit) {
			return all, nil
		}
	}
}

func (p *program) printListing(l listing) error {
	body, err := json.Marshal(l)
	if err != nil {
		return refuse("set --admin-url to the admin endpoint of otlpgate", "read what was listed: %s", err)
	}
	return p.printJSON(body)
}

// recordsOf reads the records of a listing.
func recordsOf[T any](l listing) ([]T, error) {
	records := make([]T, len(l.Data))
	for i, raw := range l.Data {
		if err := json.Unmarshal(raw, &records[i]); err != nil {
			return nil, refuse("use the gatectl of the same version as otlpgate", "read a listed record: %s", err)
		}
	}
	return records, nil
}

// printTable prints the rows below their heading, or a note where there is
// none, and says where there is more.
func (p *program) printTable(l listing, rows [][]cell, what, nothing string) error {
	if len(l.Data) == 0 {
		p.note("%s", nothing)
		return nil
	}
	if err := p.print(grid(rows, p.colored())); err != nil {
		return err
	}
	if l.NextCursor != nil {
		p.note("there are more than these %d %s: see them with --all, or with a larger --limit", len(l.Data), what)
	}
	return nil
}
