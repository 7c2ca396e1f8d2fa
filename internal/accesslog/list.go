package accesslog

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/cursor"
)

// patience bounds how much a page is looked for, in blocks that are passed over;
// one that has to be unpacked counts as many. A page's own Scan takes its place. It
// is looked at between minutes only, as entries of a minute are sorted together.
const (
	patience   = 400_000
	unpackCost = 25
)

// List returns the entries that match, newest first, as far as they were flushed.
func (l *Log) List(ctx context.Context, f Filter, p store.Page) (Page, error) {
	listing := cursor.Of("access", f.describe()...)
	after, err := listing.Position(p.Cursor, positionLength)
	if err != nil {
		return Page{}, err
	}
	s := search{filter: f, size: p.Size(), after: after, patience: patience}
	if p.Scan > 0 {
		s.patience = p.Scan
	}
	if f.KeyID != "" {
		shard := shardOf(f.KeyID)
		s.shard = &shard
	}
	if err := l.store.Walk(ctx, s.bounds(), s.visit); err != nil {
		return Page{}, fmt.Errorf("read access log: %w", err)
	}
	s.endMinute()
	return s.page(listing), nil
}

func (f *Filter) describe() []string {
	secret := ""
	if f.Secret != nil {
		secret = hex.EncodeToString(f.Secret[:])
	}
	return []string{
		f.KeyID, secret, strconv.FormatBool(f.Keys == nil), f.Viewer, f.Type, string(f.Outcome), f.Endpoint,
		f.From.UTC().Format(time.RFC3339Nano), f.To.UTC().Format(time.RFC3339Nano),
	}
}

// A position is the time of an entry, Unix microseconds, 8 bytes, and its id.
// Without an id it lies behind all entries of its time.
const positionLength = 8

func positionOf(at time.Time, id string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro())), id...)
}

// search looks for a page, one minute after the other.
type search struct {
	filter Filter
	size   int
	after  []byte
	shard  *byte // nil: all

	patience int
	spent    int
	minute   int64 // that is being read
	here     []Entry
	entries  []Entry
	cut      []byte // where the search was given up
}

// bounds are those of the minutes to look at.
func (s *search) bounds() kv.Range {
	r := kv.Range{Prefix: logPrefix, Newest: true}
	if !s.filter.From.IsZero() {
		r.From = minutePosition(s.filter.From.Truncate(time.Minute))
	}
	to := s.filter.To
	if s.after != nil {
		at := time.UnixMicro(int64(binary.BigEndian.Uint64(s.after)))
		if len(s.after) > positionLength { // else it lies behind its whole time, and its minute was read
			at = at.Add(time.Microsecond)
		}
		if to.IsZero() || at.Before(to) {
			to = at
		}
	}
	if !to.IsZero() {
		r.To = minutePosition(to.Add(time.Minute - 1).Truncate(time.Minute))
	}
	return r
}

func (s *search) visit(suffix, value []byte) (bool, error) {
	at, ok := parseSuffix(suffix)
	if !ok {
		return true, nil
	}
	if at.minute != s.minute {
		s.endMinute()
		if len(s.entries) > s.size {
			return false, nil
		}
		if s.spent > s.patience {
			s.cut = positionOf(minuteStart(at.minute+1), "")
			return false, nil
		}
		s.minute = at.minute
	}
	s.spent++
	if s.shard != nil && *s.shard != at.shard {
		return true, nil
	}
	s.spent += unpackCost
	entries, err := decodeBlock(value, minuteStart(at.minute))
	if err != nil {
		return true, nil //nolint:nilerr // what else there is counts for more
	}
	for i := range entries {
		e := &entries[i]
		e.ID = entryID(suffix, i)
		if s.filter.matches(e) && s.isBehind(e) {
			s.here = append(s.here, *e)
		}
	}
	return true, nil
}

// isBehind reports whether an entry is not on an earlier page.
func (s *search) isBehind(e *Entry) bool {
	if s.after == nil {
		return true
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(s.after)))
	if !e.Time.Equal(at) {
		return e.Time.Before(at)
	}
	return e.ID < string(s.after[positionLength:])
}

// endMinute adds what was found in a minute.
func (s *search) endMinute() {
	slices.SortFunc(s.here, func(a, b Entry) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID))
	})
	s.entries = append(s.entries, s.here...)
	s.here = nil
}

func (s *search) page(listing cursor.Listing) Page {
	if len(s.entries) > s.size {
		last := s.entries[s.size-1]
		return Page{Entries: s.entries[:s.size], Next: listing.At(positionOf(last.Time, last.ID))}
	}
	page := Page{Entries: s.entries}
	if s.cut != nil {
		page.Next = listing.At(s.cut)
	}
	return page
}
