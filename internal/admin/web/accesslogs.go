package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// accessFilter is what a page of the access log is narrowed to.
type accessFilter struct {
	Outcome, Endpoint, Type string
	From, To                string // as the inputs have them: UTC, to the minute
	from, to                *time.Time
	place                   string
}

// minuteInput is the form of <input type="datetime-local">.
const minuteInput = "2006-01-02T15:04"

func accessFilterOf(query url.Values) accessFilter {
	f := accessFilter{Outcome: query.Get("outcome"), Endpoint: query.Get("endpoint"), Type: query.Get("type"), place: query.Get("cursor")}
	f.From, f.from = minuteOf(query.Get("from"))
	f.To, f.to = minuteOf(query.Get("to"))
	return f
}

// minuteOf reads a time. What is none is as if it were not there.
func minuteOf(text string) (string, *time.Time) {
	t, err := time.Parse(minuteInput, text)
	if err != nil {
		return "", nil
	}
	return text, &t
}

func (f accessFilter) outcome() *client.AccessOutcome { return orNil(client.AccessOutcome(f.Outcome)) }
func (f accessFilter) endpoint() *string              { return orNil(f.Endpoint) }
func (f accessFilter) kind() *client.AccessKeyType    { return orNil(client.AccessKeyType(f.Type)) }
func (f accessFilter) cursor() *string                { return orNil(f.place) }

// orNil returns a pointer to a text, nil where it is empty.
func orNil[T ~string](text T) *T {
	if text == "" {
		return nil
	}
	return &text
}

// Narrows reports whether there is a filter at all.
func (f accessFilter) Narrows() bool {
	return f.Outcome != "" || f.Endpoint != "" || f.Type != "" || f.From != "" || f.To != ""
}

// accessList is a page of the access log.
type accessList struct {
	Filter    accessFilter
	Records   []accessView
	Dropped   int64
	Next      string // the next page's path; empty on the last
	OfKey     bool   // all are of one key
	Everybody bool   // they may be of anybody, and of nobody
}

// accessScan is how far a page looks, in the units of the access log: what can be
// read in 50 ms.
const accessScan = 40_000

// accessView is an entry of the access log as pages show it.
type accessView struct {
	client.AccessRecord
	now time.Time
}

// Ago tells how long ago the entry is.
func (a accessView) Ago() string { return ago(a.Time, a.now) }

// Place is the code of the country that the request came from, empty where that is
// not known.
func (a accessView) Place() string {
	if code := value(a.Country); code != access.UnknownCountry {
		return code
	}
	return ""
}

func (p *pages) accessList(r *http.Request, filter accessFilter, list *client.AccessList) accessList {
	page := accessList{Filter: filter, Dropped: list.Dropped, Next: nextPage(r, list.NextCursor), OfKey: r.PathValue("id") != ""}
	page.Everybody = !page.OfKey && visitorIn(r).Admin
	for i := range list.Data {
		page.Records = append(page.Records, accessView{list.Data[i], p.now()})
	}
	return page
}

func (p *pages) listAccess(w http.ResponseWriter, r *http.Request) {
	filter, scan := accessFilterOf(r.URL.Query()), accessScan
	answer, err := p.api.ListAccessWithResponse(r.Context(), &client.ListAccessParams{
		Type: filter.kind(), Outcome: filter.outcome(), Endpoint: filter.endpoint(), From: filter.from, To: filter.to, Cursor: filter.cursor(), Scan: &scan,
	})
	list, err := called(answer, err)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.render(w, r, http.StatusOK, "access-logs", struct {
		frame
		Access accessList
	}{p.frame(r, "Access logs", "/access-logs"), p.accessList(r, filter, list.JSON200)})
}
