package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/catalog"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// listed returns a page of keys and their names.
func (h *harness) listed(secret, query string) (page api.KeyList, names string) {
	h.t.Helper()
	a := h.get(secret, "/api-keys"+query)
	require.Equal(h.t, http.StatusOK, a.status, a.body)
	page = ofAnswer[api.KeyList](h.t, a)
	for _, k := range page.Data {
		names = strings.TrimSpace(names + " " + k.Name)
	}
	return page, names
}

// fill makes keys a, B, c and d, each an hour younger than the one before, beside
// that of the administrator.
func (h *harness) fill() {
	h.t.Helper()
	h.user("ada", identity.Member)
	for i, body := range []string{
		`{"name":"B","ownerId":"ada","scopes":["traces:read"],"expiresAt":"2026-07-03T00:00:00Z"}`,
		`{"name":"c","type":"system","scopes":["traces:read"],"environment":"test","plan":"pro"}`,
		`{"name":"a","scopes":["traces:read"],"plan":"free","expiresAt":"2026-07-02T00:00:00Z"}`,
		`{"name":"d","ownerId":"ada","scopes":["traces:read"],"environment":"test"}`,
	} {
		h.setClock(epoch.Add(time.Duration(i+1) * time.Hour))
		h.created(h.admin, body)
	}
}

func TestKeysAreListedByEnvironmentPlanAndOwnersName(t *testing.T) {
	h := newHarness(t)
	h.fill()
	_, err := h.store.UpdateUser(t.Context(), "ada", func(u *store.User) (store.Audit, error) {
		u.Name, u.Email = "Countess-of-Lovelace", "al@example.com"
		return store.Audit{}, nil
	})
	require.NoError(t, err)
	for query, want := range map[string]string{
		"?environment=test":               "d c",
		"?environment=live":               "a B bootstrap",
		"?plan=pro":                       "c",
		"?plan=free":                      "d a B", // the default one
		"?plan=nobodys":                   "",
		"?q=countess-of":                  "d B",
		"?q=AL@EXAMPLE":                   "d B",
		"?q=countess-of&environment=test": "d",
		"?plan=free&environment=live":     "a B",
	} {
		page, names := h.listed(h.admin, query)
		assert.Equal(t, want, names, query)
		assert.Equal(t, len(page.Data), page.Total, query)
		for _, k := range page.Data {
			_, asked, _ := strings.Cut(query, "plan=")
			assert.True(t, asked == "" || strings.HasPrefix(asked, k.Plan), "the plan that is shown is the one that was asked for")
		}
	}
	assert.Equal(t, "Bad Request invalid_request", h.get(h.admin, "/api-keys?environment=staging").code(t))
}

func TestKeysAreListedInEveryOrder(t *testing.T) {
	used := map[string]time.Time{}
	var c *catalog.Catalog
	h := newHarnessWith(t, func(o *Options) {
		c = catalog.New(catalog.Options{Source: o.Store, Unkept: func() []store.Use {
			var uses []store.Use
			for k, err := range store.AllKeys(t.Context(), o.Store, store.KeyFilter{}) {
				if at, ok := used[k.Name]; ok && err == nil {
					uses = append(uses, store.Use{KeyID: k.ID, Secret: k.Secrets[0].Digest.Ref(), At: at})
				}
			}
			return uses
		}})
		o.Catalog = c
	})
	h.fill()
	used["a"], used["d"] = epoch.Add(time.Minute), epoch.Add(time.Second)
	for sort, want := range map[string]string{
		"createdAt":   "bootstrap B c a d",
		"-createdAt":  "d a c B bootstrap",
		"name":        "a B bootstrap c d",
		"-name":       "d c bootstrap B a",
		"-lastUsedAt": "a d",
		"expiresAt":   "a B",
	} {
		_, names := h.listed(h.admin, "?sort="+sort)
		assert.True(t, strings.HasPrefix(names, want), "%s: %s", sort, names)
	}
	_, names := h.listed(h.admin, "?sort=lastUsedAt")
	assert.True(t, strings.HasSuffix(names, "d a"), "those that were never used are first: %s", names)
	_, names = h.listed(h.admin, "?sort=-expiresAt")
	assert.True(t, strings.HasSuffix(names, "B a"), "those that never expire are first: %s", names)
	assert.Equal(t, "Bad Request invalid_request", h.get(h.admin, "/api-keys?sort=hint").code(t))
}

func TestPagesSayWhereTheyAreAndLeadBothWays(t *testing.T) {
	h := newHarness(t)
	long := strings.Repeat("𝔸", 90) // as long a cursor as there can be, and more
	for i := range 5 {
		h.created(h.admin, fmt.Sprintf(`{"name":"%s%d","type":"system","scopes":["traces:read"]}`, long, i))
	}
	walk := func(query string, on func(api.KeyList) *string) (pages []string, last api.KeyList) {
		for {
			page, names := h.listed(h.admin, query)
			pages, last = append(pages, fmt.Sprintf("%d of %d: %s", page.Offset, page.Total, strings.ReplaceAll(names, long, ""))), page
			cursor := on(page)
			if cursor == nil {
				return pages, last
			}
			query, _, _ = strings.Cut(query, "&cursor")
			query += "&cursor=" + *cursor
		}
	}
	query := "?limit=2&sort=name&q=" + url.QueryEscape(long)
	pages, last := walk(query, func(l api.KeyList) *string { return l.NextCursor })
	assert.Equal(t, []string{"0 of 5: 0 1", "2 of 5: 2 3", "4 of 5: 4"}, pages)
	pages, _ = walk(query+"&cursor="+*last.PrevCursor, func(l api.KeyList) *string { return l.PrevCursor })
	assert.Equal(t, []string{"2 of 5: 2 3", "0 of 5: 0 1"}, pages)
	assert.Equal(t, "Bad Request invalid_cursor", h.get(h.admin, "/api-keys?sort=-name&cursor="+*last.PrevCursor).code(t))
}

func TestALesserCallerIsToldOfItsOwnKeysAlone(t *testing.T) {
	h := newHarness(t)
	h.fill()
	ada, _ := h.userKey("ada", identity.TracesRead)
	page, names := h.listed(ada, "?sort=name&q=e") // in ids, hints and others' names too
	assert.Len(t, page.Data, page.Total)
	assert.NotContains(t, names, "bootstrap")
	page, names = h.listed(ada, "?sort=name&environment=test")
	assert.Equal(t, "d", names)
	assert.Equal(t, 1, page.Total)
	for _, query := range []string{"?ownerId=admin", "?type=system"} {
		page, _ = h.listed(ada, query)
		assert.Zero(t, page.Total, query)
	}
}

// renaming is a store in which a key gets another name between being listed and
// being read.
type renaming struct{ store.Store }

func (r renaming) Key(ctx context.Context, id string) (store.Key, error) {
	k, err := r.Store.Key(ctx, id)
	if k.Name == "zz-top" {
		k.Name = "another"
	}
	return k, err
}

func TestAKeyThatChangesWhileItIsListedIsShownAsItIsOrLeftOut(t *testing.T) {
	h := newHarnessWith(t, func(o *Options) {
		o.Catalog = catalog.New(catalog.Options{Source: o.Store})
		o.Store = renaming{o.Store}
	})
	h.created(h.admin, `{"name":"zz-top","scopes":["traces:read"]}`)
	h.created(h.admin, `{"name":"zz-topmost","scopes":["traces:read"]}`)
	_, names := h.listed(h.admin, "?sort=name")
	assert.Equal(t, "bootstrap another zz-topmost", names)
	page, names := h.listed(h.admin, "?q=zz-top")
	assert.Equal(t, "zz-topmost", names)
	assert.Equal(t, 2, page.Total)
}
