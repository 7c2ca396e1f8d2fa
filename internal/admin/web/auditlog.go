package web

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// auditView is a record of the audit log as pages show it.
type auditView struct {
	client.AuditRecord
	By      string // who did it; empty for the collector itself
	ByPath  string // the page of who did it; empty where there is none
	OnPath  string // the page of what it was done to; likewise
	Changed []changeView
}

// changeView is a field before and after.
type changeView struct{ Field, From, To string }

// actions are what people call what was done.
var actions = map[string]string{
	"key.create": "created the key", "key.update": "changed the key", "key.revoke": "revoked the key", "key.rotate": "rotated the key",
	"key.declare": "declared the key", "key.withdraw": "withdrew the key", "key.read": "looked at keys", "key.introspect": "asked about a key",
	"user.create": "created the user", "user.update": "changed the user", "user.delete": "deleted the user",
	"user.declare": "declared the user", "user.withdraw": "withdrew the user", "user.read": "looked at users",
	"audit.read": "read the audit log", "access.read": "read usage and access logs", "backup.create": "made a backup",
	"declaration.apply": "applied a document", "session.begin": "signed in", "session.end": "signed out",
}

// Deed is what was done, or tried.
func (a auditView) Deed() string {
	if text, ok := actions[a.Action]; ok {
		return text
	}
	return a.Action
}

// Refused reports whether it was tried in vain.
func (a auditView) Refused() bool { return a.Outcome == client.AuditOutcomeRefused }

func (p *pages) auditViews(ctx context.Context, list []client.AuditRecord) []auditView {
	known, names := p.people(), map[string]string{}
	nameOf := func(id string) string {
		if _, ok := names[id]; !ok {
			names[id] = p.nameOf(ctx, known, id)
		}
		return names[id]
	}
	views := make([]auditView, len(list))
	for i := range list {
		record := &list[i]
		view := auditView{AuditRecord: *record, Changed: changesOf(record.Changes), OnPath: known.path(ctx, value(record.Target))}
		if by := actorOf(record); by != "" {
			view.By, view.ByPath = nameOf(by), known.path(ctx, by)
		}
		views[i] = view
	}
	return views
}

// actorOf returns the user, or else the key, that did something.
func actorOf(record *client.AuditRecord) string {
	if user := value(record.Actor.UserID); user != "" {
		return user
	}
	return value(record.Actor.KeyID)
}

func isKeyID(id string) bool { return strings.HasPrefix(id, "key_") }

func changesOf(changes map[string]client.AuditChange) []changeView {
	views := make([]changeView, 0, len(changes))
	for _, field := range slices.Sorted(maps.Keys(changes)) {
		views = append(views, changeView{field, plain(changes[field].From), plain(changes[field].To)})
	}
	return views
}

// longestChange is how much of a value in characters a page shows.
const longestChange = 240

// plain writes a value for people.
func plain(v any) string {
	var text string
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		text = v
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = plain(v[i])
		}
		text = strings.Join(parts, "; ")
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if v[name] != nil {
				parts = append(parts, name+" "+plain(v[name]))
			}
		}
		text = strings.Join(parts, " · ")
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		text = fmt.Sprint(v) // true or false: it came as JSON
	}
	if runes := []rune(text); len(runes) > longestChange {
		return string(runes[:longestChange]) + "…"
	}
	return text
}

// auditPageSize is how many records a page shows, each with all that it changed.
const auditPageSize = 25

// auditScan is how many records a page looks at: what can be read in 50 ms.
const auditScan = 2000

// auditPage is the data of the page of the audit log.
type auditPage struct {
	frame
	Records                        []auditView
	Target, Actor, Action, Verdict string
	From, To                       string
	Actions                        []string
	Next                           string
}

// Narrows reports whether there is a filter at all.
func (a auditPage) Narrows() bool { return a.Target+a.Actor+a.Action+a.Verdict+a.From+a.To != "" }

func (p *pages) listAudit(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	page := auditPage{
		frame: p.frame(r, "Audit log", "/audit-log"), Target: query.Get("target"), Actor: query.Get("actor"),
		Action: query.Get("action"), Verdict: query.Get("outcome"), Actions: slices.Sorted(maps.Keys(actions)),
	}
	most, scan := auditPageSize, auditScan
	params := &client.ListAuditParams{
		Limit: &most, Scan: &scan, Target: orNil(page.Target), Actor: orNil(page.Actor), Action: orNil(page.Action),
		Outcome: orNil(client.AuditOutcome(page.Verdict)), Cursor: parameter[string](query, "cursor"),
	}
	page.From, params.From = minuteOf(query.Get("from"))
	page.To, params.To = minuteOf(query.Get("to"))
	answer, err := p.api.ListAuditWithResponse(r.Context(), params)
	list, err := called(answer, err)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	page.Records, page.Next = p.auditViews(r.Context(), list.JSON200.Data), nextPage(r, list.JSON200.NextCursor)
	p.render(w, r, http.StatusOK, "audit-log", page)
}
