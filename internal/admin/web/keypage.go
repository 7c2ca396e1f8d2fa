package web

import (
	"context"
	"net/http"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// keyPage is the data of the pages of one key.
type keyPage struct {
	frame
	Tab     string
	Key     keyView
	Creator string

	Usage     *usageView // nil where nobody knows
	NoUsage   *Problem   // why that is so
	Quotas    []quotaView
	OldUsers  []accessView // who still uses the secret that was replaced
	MoreUsers bool         // and others do

	Access  accessList
	Alerts  []alertView
	History []auditView
	Next    string // the next page's path; empty on the last
}

// keyPage makes the data that all pages of a key have.
func (p *pages) keyPage(r *http.Request, tab string) (keyPage, error) {
	found, err := p.visibleKey(r)
	if err != nil {
		return keyPage{}, err
	}
	k := found.JSON200
	known := p.people()
	page := keyPage{
		frame: p.frame(r, k.Name, kindOf(k).Section), Tab: tab, Key: p.keyView(r.Context(), known, k), Quotas: quotasOf(k),
	}
	if by := value(k.CreatedBy); by != "" {
		page.Creator = p.nameOf(r.Context(), known, by)
	}
	return page, nil
}

// showKey shows what a key is, and how it is used.
func (p *pages) showKey(w http.ResponseWriter, r *http.Request) {
	page, err := p.keyPage(r, "overview")
	if err != nil {
		p.failed(w, r, err)
		return
	}
	chosen := periodOf(r.URL.Query().Get("period"))
	from := chosen.from(p.now())
	answer, err := p.api.GetKeyUsageWithResponse(r.Context(), page.Key.ID, &client.GetKeyUsageParams{From: &from, Step: &chosen.Step})
	if usage, err := called(answer, err); err != nil {
		page.NoUsage = problemOf(err)
	} else {
		view := newUsageView(usage.JSON200, chosen)
		page.Usage = &view
	}
	page.OldUsers = p.usersOfOldSecret(r.Context(), page.Key)
	if page.MoreUsers = len(page.OldUsers) > maxOldUsers; page.MoreUsers {
		page.OldUsers = page.OldUsers[:maxOldUsers]
	}
	p.render(w, r, http.StatusOK, "key", page)
}

// maxOldUsers is how many users of an old secret a page tells apart.
const maxOldUsers = 10

// usersOfOldSecret tells who has used the secret that was replaced since it was, as
// far as the newest entries of the access log show: a line each of those who are
// alike, and one more than maxOldUsers where there are others.
func (p *pages) usersOfOldSecret(ctx context.Context, k keyView) []accessView {
	old := k.OldSecret()
	if old == nil {
		return nil
	}
	most, scan, accepted := 200, accessScan, client.AccessOutcomeAccepted
	answer, err := p.api.ListKeyAccessWithResponse(ctx, k.ID, &client.ListKeyAccessParams{
		Secret: &old.ID, From: &k.Secrets[0].CreatedAt, Outcome: &accepted, Limit: &most, Scan: &scan,
	})
	list, err := called(answer, err)
	if err != nil {
		return nil
	}
	seen := map[[3]string]bool{}
	var users []accessView
	for i := range list.JSON200.Data {
		record := &list.JSON200.Data[i]
		who := [3]string{value(record.Address), value(record.UserAgent), record.Endpoint}
		if seen[who] || len(users) > maxOldUsers {
			continue
		}
		seen[who] = true
		users = append(users, accessView{AccessRecord: *record, now: p.now()})
	}
	return users
}

func (p *pages) showKeyAccess(w http.ResponseWriter, r *http.Request) {
	page, err := p.keyPage(r, "requests")
	if err != nil {
		p.failed(w, r, err)
		return
	}
	filter, scan := accessFilterOf(r.URL.Query()), accessScan
	answer, err := p.api.ListKeyAccessWithResponse(r.Context(), page.Key.ID, &client.ListKeyAccessParams{
		Outcome: filter.outcome(), Endpoint: filter.endpoint(), From: filter.from, To: filter.to, Cursor: filter.cursor(), Scan: &scan,
	})
	list, err := called(answer, err)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	page.Access = p.accessList(r, filter, list.JSON200)
	p.render(w, r, http.StatusOK, "key-requests", page)
}

func (p *pages) showKeyAlerts(w http.ResponseWriter, r *http.Request) {
	page, err := p.keyPage(r, "alerts")
	if err != nil {
		p.failed(w, r, err)
		return
	}
	answer, err := p.api.ListAlertsWithResponse(r.Context(), &client.ListAlertsParams{KeyID: &page.Key.ID, Cursor: parameter[string](r.URL.Query(), "cursor")})
	list, err := called(answer, err)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	page.Alerts, page.Next = alertViews(list.JSON200.Data), nextPage(r, list.JSON200.NextCursor)
	p.render(w, r, http.StatusOK, "key-alerts", page)
}

func (p *pages) showKeyHistory(w http.ResponseWriter, r *http.Request) {
	page, err := p.keyPage(r, "history")
	if err != nil {
		p.failed(w, r, err)
		return
	}
	most, scan := auditPageSize, auditScan
	answer, err := p.api.ListAuditWithResponse(r.Context(), &client.ListAuditParams{Target: &page.Key.ID, Limit: &most, Scan: &scan, Cursor: parameter[string](r.URL.Query(), "cursor")})
	list, err := called(answer, err)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	page.History, page.Next = p.auditViews(r.Context(), list.JSON200.Data), nextPage(r, list.JSON200.NextCursor)
	p.render(w, r, http.StatusOK, "key-history", page)
}

// nameOf returns the name of a user or key, the id where there is none, or it is
// nothing to the visitor.
func (p *pages) nameOf(ctx context.Context, known *people, id string) string {
	visitor := visitorOf(ctx)
	switch {
	case !isKeyID(id):
		return known.of(ctx, id).Name
	case id == visitor.KeyID:
		return visitor.KeyName
	case !visitor.Admin:
		return id
	}
	answer, err := p.api.GetKeyWithResponse(ctx, id)
	k, err := called(answer, err)
	if err != nil {
		return id
	}
	return k.JSON200.Name
}

// quotaView is a limit and what is spent of it.
type quotaView struct {
	client.Quota
	Share int // spent, in percent
}

// Level tells how near to its end a limit is.
func (q quotaView) Level() string {
	switch {
	case q.Share >= 95:
		return "full"
	case q.Share >= 75:
		return "high"
	}
	return "low"
}

func quotasOf(k *client.Key) []quotaView {
	views := make([]quotaView, len(k.Quotas))
	for i, q := range k.Quotas {
		views[i] = quotaView{q, min(100, share(q.Used, q.Max))}
	}
	return views
}
