package alert

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/cursor"
)

// Filter selects alerts; zero fields select all.
type Filter struct {
	State State
	Kind  Kind
	KeyID string
	// Keys selects the alerts of several keys, and none where it is empty and not
	// nil.
	Keys map[string]bool
	// Viewer names Keys in cursors, which so outlive a change of them.
	Viewer string
}

func (f *Filter) matches(a *Alert) bool {
	return (f.State == "" || f.State == a.State) && (f.Kind == "" || f.Kind == a.Kind) &&
		(f.KeyID == "" || f.KeyID == a.KeyID) && (f.Keys == nil || f.Keys[a.KeyID])
}

// Page is a part of a listing.
type Page struct {
	Alerts []Alert
	Next   string // empty on the last page
}

func newestFirst(a, b Alert) int {
	return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.ID, a.ID))
}

// positionOf is the place of an alert in a listing.
func positionOf(a *Alert) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(a.StartedAt.UnixMicro())), a.ID...)
}

func (b *book) list(f Filter, p store.Page) (Page, error) {
	listing := cursor.Of("alerts", string(f.State), string(f.Kind), f.KeyID, strconv.FormatBool(f.Keys == nil), f.Viewer)
	after, err := listing.Position(p.Cursor, 8)
	if err != nil {
		return Page{}, fmt.Errorf("list alerts: %w", err)
	}
	var page Page
	for _, a := range b.all() {
		if !f.matches(&a) || (after != nil && bytes.Compare(positionOf(&a), after) >= 0) {
			continue
		}
		if len(page.Alerts) == p.Size() {
			page.Next = listing.At(positionOf(&page.Alerts[len(page.Alerts)-1]))
			break
		}
		page.Alerts = append(page.Alerts, a)
	}
	return page, nil
}
