package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

const hourly = `{"on":"ingest","unit":"requests","max":5000,"window":"1h"}`

func TestLimitsOfAKeyAreShownWhereverItIs(t *testing.T) {
	h := newHarness(t)
	const items = `{"on":"traces","unit":"items","max":1,"window":"1d"}`
	shown := func(a answer) any { return fieldsOf(t, a.body)["limits"] }
	listOf := func(limits string) (list any) {
		require.NoError(t, json.Unmarshal([]byte(limits), &list))
		return list
	}

	made := h.create(h.admin, `{"name":"k","preset":"admin","limits":[`+hourly+`,`+items+`]}`)
	require.Equal(t, http.StatusCreated, made.status, made.body)
	want, id := listOf(`[`+hourly+`,`+items+`]`), keyOf(t, made).ID
	assert.Equal(t, want, shown(made))
	assert.Equal(t, want, shown(h.get(h.admin, "/api-keys/"+id)))
	var list struct{ Data []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(h.get(h.admin, "/api-keys?ownerId=admin").body), &list))
	assert.Equal(t, want, list.Data[0]["limits"])

	for _, step := range []struct{ patch, want string }{
		{`{"limits":[` + items + `]}`, `[` + items + `]`},
		{`{"name":"n"}`, `[` + items + `]`},
		{`{"limits":null}`, `[]`},
		{`{"limits":[{"on":"api","unit":"requests","max":9007199254740992,"window":"90s"}]}`, `[{"on":"api","unit":"requests","max":9007199254740992,"window":"90s"}]`},
		{`{"limits":[{"on":"api","unit":"requests","max":3,"window":"3600s"}]}`, `[{"on":"api","unit":"requests","max":3,"window":"1h"}]`},
		{
			`{"limits":[` + hourly + `,{"on":"traces","unit":"requests","max":5000,"window":"1h"},{"on":"ingest","unit":"bytes","max":5000,"window":"1h"},{"on":"ingest","unit":"requests","max":5000,"window":"1d"}]}`,
			`[` + hourly + `,{"on":"traces","unit":"requests","max":5000,"window":"1h"},{"on":"ingest","unit":"bytes","max":5000,"window":"1h"},{"on":"ingest","unit":"requests","max":5000,"window":"1d"}]`,
		},
		{`{"limits":[]}`, `[]`},
	} {
		a := h.patch(h.admin, id, step.patch)
		require.Equal(t, http.StatusOK, a.status, a.body)
		assert.Equal(t, listOf(step.want), shown(a), step.patch)
		assert.Equal(t, listOf(step.want), shown(h.get(h.admin, "/api-keys/"+id)), step.patch)
	}
}

func TestBrokenRulesOfLimitsAreNamed(t *testing.T) {
	h := newHarness(t)
	id := h.created(h.admin, `{"name":"k","preset":"admin"}`).ID
	const length = "must be a length of 1s to 31d such as 30s, 1m, 6h or 31d"
	for name, tt := range map[string]struct{ limits, want string }{
		"no list":       {hourly, "/limits: must be of type array"},
		"no limit":      {`[5]`, "/limits/0: must be of type object"},
		"null":          {`[null]`, "/limits/0: must not be null"},
		"empty":         {`[{}]`, "/limits/0/max: is required\n/limits/0/on: is required\n/limits/0/unit: is required\n/limits/0/window: is required"},
		"on":            {`[{"on":"everything","unit":"requests","max":1,"window":"1m"}]`, "/limits/0/on: must be one of ingest, traces, metrics, logs, profiles, api"},
		"on a number":   {`[{"on":1,"unit":"requests","max":1,"window":"1m"}]`, "/limits/0/on: must be one of ingest, traces, metrics, logs, profiles, api"},
		"unit":          {`[` + hourly + `,{"on":"api","unit":"spans","max":1,"window":"1m"}]`, "/limits/1/unit: must be one of requests, items, bytes"},
		"items of api":  {`[{"on":"api","unit":"items","max":1,"window":"1m"}]`, "/limits/0/unit: items are not counted on api: use requests"},
		"max":           {`[{"on":"api","unit":"requests","max":0,"window":"1m"}]`, "/limits/0/max: must be 1 to 9007199254740992"},
		"max too large": {`[{"on":"api","unit":"requests","max":9007199254740994,"window":"1m"}]`, "/limits/0/max: must be 1 to 9007199254740992"},
		"max rounded":   {`[{"on":"api","unit":"requests","max":9007199254740993,"window":"1m"}]`, "/limits/0/max: 9007199254740993 is out of range: must be 1 to 9007199254740992; to forbid something, leave its scope out"},
		"max fraction":  {`[{"on":"api","unit":"requests","max":1.5,"window":"1m"}]`, "/limits/0/max: must be of type integer"},
		"max text":      {`[{"on":"api","unit":"requests","max":"1","window":"1m"}]`, "/limits/0/max: must be of type integer"},
		"no window":     {`[{"on":"api","unit":"requests","max":1,"window":"soon"}]`, "/limits/0/window: " + length},
		"short window":  {`[{"on":"api","unit":"requests","max":1,"window":"999ms"}]`, "/limits/0/window: " + length},
		"long window":   {`[{"on":"api","unit":"requests","max":1,"window":"32d"}]`, "/limits/0/window: " + length},
		"window number": {`[{"on":"api","unit":"requests","max":1,"window":60}]`, "/limits/0/window: must be of type string"},
		"twice":         {`[` + hourly + `,{"on":"ingest","unit":"requests","max":1,"window":"60m"}]`, "/limits/1: is on the same ingest requests in 1h as /limits/0: keep one of them"},
		"unknown field": {`[{"on":"api","unit":"requests","max":1,"window":"1m","burst":2}]`, "/limits/0/burst: no such field: known are max, on, unit, window"},
		"too many":      {`[` + strings.TrimSuffix(strings.Repeat(hourly+",", 17), ",") + `]`, "/limits: must hold 0 to 16 items"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, a := range []answer{
				h.create(h.admin, `{"name":"k","preset":"admin","limits":`+tt.limits+`}`),
				h.patch(h.admin, id, `{"limits":`+tt.limits+`}`),
			} {
				require.Equal(t, "Bad Request invalid_request", a.code(t), a.body)
				assert.ElementsMatch(t, strings.Split(tt.want, "\n"), strings.Split(rulesOf(t, a), "\n"))
			}
		})
	}
	assert.Len(t, h.audits(), 1, "nothing was changed")
}

func TestTheDocumentBoundsLimitsAsTheirPackageDoes(t *testing.T) {
	document := newHarness(t).spec.document.Components.Schemas
	for _, body := range []string{"KeyCreate", "KeyPatch"} {
		assert.EqualValues(t, limit.MaxLimits, *document[body].Value.Properties["limits"].Value.MaxItems, body)
	}
	assert.EqualValues(t, limit.MaxMax, int64(*document["Limit"].Value.Properties["max"].Value.Max))
	texts := func(schema *openapi3.SchemaRef) (texts []string) {
		for _, v := range schema.Value.Enum {
			texts = append(texts, v.(string))
		}
		return texts
	}
	var traffic, units []string
	for on := limit.Ingest; on.String() != ""; on++ {
		traffic = append(traffic, on.String())
	}
	for unit := limit.Requests; unit.String() != ""; unit++ {
		units = append(units, unit.String())
	}
	assert.Equal(t, traffic, texts(document["Traffic"]))
	assert.Equal(t, units, texts(document["Unit"]))
}

func TestOnlyAnAdministratorSetsLimits(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	ada, _ := h.userKey("ada", identity.TracesRead)
	limited := h.created(h.admin, `{"name":"k","ownerId":"ada","scopes":["traces:read"],"limits":[`+hourly+`]}`).ID

	a := h.create(ada, `{"name":"k","scopes":["traces:read"],"limits":[`+hourly+`]}`)
	assert.Equal(t, "Forbidden not_permitted", a.code(t))
	assert.Equal(t, "/limits: only an administrator may set limits", rulesOf(t, a))
	for _, patch := range []string{`{"limits":null}`, `{"limits":[]}`, `{"limits":[{"on":"ingest","unit":"requests","max":5001,"window":"1h"}]}`} {
		assert.Equal(t, "Forbidden not_permitted", h.patch(ada, limited, patch).code(t), patch)
	}
	assert.Equal(t, "OK", h.patch(ada, limited, `{"name":"n","limits":[`+hourly+`]}`).code(t), "repeating them changes nothing")
	assert.Equal(t, "Created", h.create(ada, `{"name":"k","scopes":["traces:read"],"limits":[]}`).code(t), "none are none")
}

func TestChangesOfLimitsAreAudited(t *testing.T) {
	h := newHarness(t)
	id := h.created(h.admin, `{"name":"k","preset":"admin","limits":[`+hourly+`]}`).ID
	require.Equal(t, "OK", h.patch(h.admin, id, `{"limits":[`+hourly+`]}`).code(t), "changes nothing")
	require.Equal(t, "OK", h.patch(h.admin, id, `{"limits":[]}`).code(t))
	records := h.audits()
	require.Len(t, records, 2)
	was := []any{map[string]any{"on": "ingest", "unit": "requests", "max": 5000.0, "window": "1h"}}
	assert.Equal(t, store.Change{To: was}, records[0].Changes["limits"])
	assert.Equal(t, map[string]store.Change{"limits": {From: was}}, records[1].Changes)
}

func TestPlansAreListedToEveryCaller(t *testing.T) {
	h := newHarnessWith(t, func(o *Options) {
		plans, err := limit.NewPlans(map[string]limit.Plan{
			"enterprise": {Concurrency: 1},
			"free":       {Limits: limit.BuiltinPlans()["pro"].Limits, Concurrency: 5},
			"pro":        limit.BuiltinPlans()["pro"],
			"gold":       {Limits: []limit.Limit{{On: limit.Traces, Unit: limit.Items, Max: 7, Window: limit.Window(24 * time.Hour)}}},
		}, "gold")
		require.NoError(t, err)
		o.Plans = plans
	})
	system := h.key(store.Key{Type: identity.SystemKey, Role: identity.Viewer, Scopes: []identity.Scope{identity.TracesRead}})
	for _, key := range []string{h.admin, system} {
		a := h.get(key, "/plans")
		require.Equal(t, http.StatusOK, a.status, a.body)
		assert.JSONEq(t, `{"data":[
			{"name":"enterprise","limits":[],"concurrency":1,"builtin":false,"default":false},
			{"name":"free","limits":[{"on":"ingest","unit":"requests","max":1000,"window":"1m"},{"on":"api","unit":"requests","max":300,"window":"1m"}],"concurrency":5,"builtin":false,"default":false},
			{"name":"gold","limits":[{"on":"traces","unit":"items","max":7,"window":"1d"}],"concurrency":null,"builtin":false,"default":true},
			{"name":"pro","limits":[{"on":"ingest","unit":"requests","max":1000,"window":"1m"},{"on":"api","unit":"requests","max":300,"window":"1m"}],"concurrency":20,"builtin":true,"default":false}
		]}`, a.body)
	}
	assert.Equal(t, "gold", h.created(h.admin, `{"name":"k","preset":"admin"}`).Plan)
	assert.Equal(t, "Unauthorized no_credential", h.get("", "/plans").code(t))
}

// newCountingHarness returns a harness whose keys' quotas are those of the
// counter.
func newCountingHarness(t *testing.T) (*harness, *limit.Memory) {
	t.Helper()
	counter := limit.NewMemory(limit.MemoryOptions{})
	h := newHarnessWith(t, func(o *Options) {
		o.State = func(ctx context.Context, id string, p *limit.Policy) (limit.State, error) {
			return counter.State(ctx, epoch, id, p)
		}
	})
	return h, counter
}

func TestAKeyShownAloneTellsWhatItHasSpent(t *testing.T) {
	h, counter := newCountingHarness(t)
	made := h.created(h.admin, `{"name":"k","preset":"admin","limits":[`+hourly+`]}`)
	policy := h.plans.Policy("free", []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: 5000, Window: limit.LongWindow}})
	cost := limit.Cost{On: limit.Traces, Slot: true}
	cost.Ingest[limit.Requests] = 37
	require.Equal(t, limit.Admitted, counter.Admit(epoch, made.ID, policy, &cost, &limit.Receipt{}).Verdict)

	shown := fieldsOf(t, h.get(h.admin, "/api-keys/"+made.ID).body)
	quotas, err := json.Marshal(shown["quotas"])
	require.NoError(t, err)
	state, err := counter.State(t.Context(), epoch, made.ID, policy)
	require.NoError(t, err)
	reset := state.Quotas[1].ResetAt.UTC().Format(time.RFC3339Nano)
	assert.JSONEq(t, `[
		{"on":"api","unit":"requests","max":60,"window":"1m","used":0,"remaining":60,"resetAt":"2026-07-01T09:30:00Z"},
		{"on":"ingest","unit":"requests","max":5000,"window":"1h","used":37,"remaining":4963,"resetAt":"`+reset+`"}
	]`, string(quotas))
	assert.Equal(t, map[string]any{"max": 5.0, "underWay": 1.0}, shown["concurrency"])
	assert.Nil(t, made.Quotas, "not where it was created")
	assert.Nil(t, keyOf(t, h.patch(h.admin, made.ID, `{"name":"n"}`)).Quotas, "not where it was changed")
	var list struct{ Data []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(h.get(h.admin, "/api-keys").body), &list))
	assert.Contains(t, list.Data[0], "quotas")
	assert.Nil(t, list.Data[0]["quotas"], "not in lists")
}

func TestQuotasAreThoseOfTheLimitsThatApply(t *testing.T) {
	h, _ := newCountingHarness(t)
	for name, tt := range map[string]struct {
		key         store.Key
		max         []int64
		concurrency int
	}{
		"no plan":                        {store.Key{}, []int64{100, 60}, 5},
		"a plan":                         {store.Key{Plan: "pro"}, []int64{1000, 300}, 20},
		"a plan that is no longer there": {store.Key{Plan: "gone"}, []int64{100, 60}, 5},
		"an unlimited plan":              {store.Key{Plan: "enterprise"}, []int64{}, 0},
		"a limit of the key's own":       {store.Key{Limits: []limit.Limit{{On: limit.API, Unit: limit.Requests, Max: 1, Window: limit.LongWindow}}}, []int64{100, 1}, 5},
		"no limit but the key's own":     {store.Key{Plan: "enterprise", Limits: []limit.Limit{{On: limit.Logs, Unit: limit.Bytes, Max: 9, Window: limit.LongWindow}}}, []int64{9}, 0},
	} {
		_, id := h.keyAndID(store.Key{
			OwnerID: store.BuiltinUserID, Scopes: []identity.Scope{identity.TracesWrite}, Plan: tt.key.Plan, Limits: tt.key.Limits,
		})
		shown := keyOf(t, h.get(h.admin, "/api-keys/"+id))
		require.NotNil(t, shown.Quotas, name)
		got := []int64{}
		for _, q := range shown.Quotas {
			got = append(got, q.Max)
		}
		assert.Equal(t, tt.max, got, name)
		if tt.concurrency == 0 {
			assert.Nil(t, shown.Concurrency, name)
		} else {
			assert.Equal(t, tt.concurrency, shown.Concurrency.Max, name)
		}
	}
}

func TestAKeyIsShownWithoutItsCountsWhereTheyCannotBeRead(t *testing.T) {
	h := newHarnessWith(t, func(o *Options) {
		o.State = func(context.Context, string, *limit.Policy) (limit.State, error) {
			return limit.State{}, errors.New("disk on fire")
		}
	})
	id := h.created(h.admin, `{"name":"k","preset":"admin"}`).ID
	a := h.get(h.admin, "/api-keys/"+id)
	require.Equal(t, http.StatusOK, a.status, a.body)
	assert.Contains(t, a.body, `"quotas":null`)
	assert.Contains(t, a.body, `"concurrency":null`)
	require.Equal(t, 1, h.logs.FilterMessageSnippet("spent").Len())
	assert.Equal(t, map[string]any{"key": id, "cause": "disk on fire"}, h.logs.FilterMessageSnippet("spent").All()[0].ContextMap())
}

func TestAKeyPassesItsPlanAndLimitsOnToTheKeysItMakes(t *testing.T) {
	h := newHarness(t)
	h.user("usr_1", identity.Member)
	maker := h.key(store.Key{
		OwnerID: "usr_1", Scopes: []identity.Scope{identity.TracesWrite}, Plan: "pro",
		Limits: []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: 3, Window: limit.Window(time.Minute)}},
	})
	made := h.created(maker, `{"name": "made", "scopes": ["traces:write"]}`)
	assert.Equal(t, "pro", made.Plan)
	require.Len(t, made.Limits, 1)
	assert.EqualValues(t, 3, made.Limits[0].Max)
	byAdmin := h.created(h.admin, `{"name": "made", "scopes": ["traces:write"]}`)
	assert.Equal(t, "free", byAdmin.Plan)
	assert.Empty(t, byAdmin.Limits)
}
