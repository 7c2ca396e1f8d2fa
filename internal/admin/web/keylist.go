package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// keyList is the data of the pages that list keys.
type keyList struct {
	frame
	Kind     kind
	Filter   keyFilter
	Keys     []keyView
	Owners   []client.User // to choose from
	Plans    []client.Plan // likewise
	Sorts    []order
	First    int64 // the number of the first key shown among all that match, from 1
	Last     int64
	Total    int64
	Next     string // the next page's path; empty on the last
	Previous string // the page's before; likewise
	now      time.Time
}

// Ago tells how long ago a time is, or how long it is to come.
func (l keyList) Ago(t time.Time) string { return ago(t, l.now) }

// order is a choice of how a list is sorted.
type order struct{ Value, Title string }

// sorts are the orders of a list, the default first.
var sorts = []order{
	{"", "Newest first"},
	{"createdAt", "Oldest first"},
	{"name", "Name"},
	{"-lastUsedAt", "Last used first"},
	{"lastUsedAt", "Unused for longest"},
	{"expiresAt", "Expires next"},
}

// number says which of the keys that match are shown.
func (l *keyList) number(r *http.Request, list *client.KeyList) {
	l.First, l.Last, l.Total = int64(list.Offset)+1, int64(list.Offset+len(list.Data)), int64(list.Total)
	l.Next, l.Previous = nextPage(r, list.NextCursor), nextPage(r, list.PrevCursor)
}

// keyFilter is what a list of keys is narrowed to, and how it is sorted.
type keyFilter struct {
	Query, Status, Owner, Environment, Plan, Sort string
}

func keyFilterOf(query url.Values) keyFilter {
	return keyFilter{
		Query: query.Get("q"), Status: query.Get("status"), Owner: query.Get("owner"),
		Environment: query.Get("environment"), Plan: query.Get("plan"), Sort: query.Get("sort"),
	}
}

// Narrows reports whether there is a filter at all.
func (f keyFilter) Narrows() bool {
	return f.Query != "" || f.Status != "" || f.Owner != "" || f.Environment != "" || f.Plan != ""
}

func (p *pages) listKeys(w http.ResponseWriter, r *http.Request) {
	p.showKeys(w, r, "API keys", userKeys)
}

func (p *pages) listSystemKeys(w http.ResponseWriter, r *http.Request) {
	p.showKeys(w, r, "System keys", systemKeys)
}

func (p *pages) showKeys(w http.ResponseWriter, r *http.Request, title string, k kind) {
	if k.System() && !visitorIn(r).Admin {
		p.refusePage(w, r, &Problem{Status: http.StatusForbidden, Detail: "Only an administrator may see system keys."})
		return
	}
	query := r.URL.Query()
	page := keyList{frame: p.frame(r, title, k.Section), Kind: k, Filter: keyFilterOf(query), Sorts: sorts, now: p.now()}
	if !page.Visitor.Manages {
		p.render(w, r, http.StatusOK, "keys", page)
		return
	}
	f := page.Filter
	answer, err := p.api.ListKeysWithResponse(r.Context(), &client.ListKeysParams{
		Type: &k.Type, Q: orNil(f.Query), Status: orNil(client.KeyStatus(f.Status)), OwnerID: orNil(f.Owner),
		Environment: orNil(client.Environment(f.Environment)), Plan: orNil(f.Plan), Sort: orNil(client.KeySort(f.Sort)),
		Cursor: parameter[string](query, "cursor"),
	})
	list, err := called(answer, err)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	known := p.people()
	for i := range list.JSON200.Data {
		page.Keys = append(page.Keys, p.keyView(r.Context(), known, &list.JSON200.Data[i]))
	}
	page.number(r, list.JSON200)
	if page.Plans, err = p.plans(r); err != nil {
		p.failed(w, r, err)
		return
	}
	if page.Visitor.Admin && !k.System() {
		if page.Owners, err = p.owners(r); err != nil {
			p.failed(w, r, err)
			return
		}
	}
	p.render(w, r, http.StatusOK, "keys", page)
}
