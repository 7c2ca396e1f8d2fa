package apikeyauthextension

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// decodeYAML reads a configuration as the collector does.
func decodeYAML(t *testing.T, text string) (*Config, error) {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	return decode(conf)
}

const aLimit = "on: ingest, unit: requests, max: 1, window: 1m"

func TestBadLimitsNameTheSettingTheValueTheRuleAndTheRemedy(t *testing.T) {
	digest := credential.Format{}.Mint(credential.Live).Digest().String()
	plan := func(plan string) string { return "plans: {free: " + plan + "}" }
	free := func(limits string) string { return plan("{limits: [" + limits + "]}") }
	key := func(settings string) string {
		return "keys: [{name: a, preset: admin, digest: \"" + digest + "\", " + settings + "}]"
	}
	for name, tt := range map[string]struct {
		config string
		want   string
	}{
		"max":             {free("{on: ingest, unit: requests, max: 0, window: 1m}"), "plans::free::limits::0: max: 0 is out of range: must be 1 to 9007199254740992"},
		"max left out":    {free("{on: ingest, unit: requests, window: 1m}"), "plans::free::limits::0: max: 0 is out of range"},
		"max fraction":    {free("{on: ingest, unit: requests, max: 1.5, window: 1m}"), "plans::free::limits::0::max: 1.5 is no whole number: must be 1 or more"},
		"max text":        {free("{on: ingest, unit: requests, max: many, window: 1m}"), "plans[free].limits[0].max"},
		"on":              {free("{on: tracks, unit: requests, max: 1, window: 1m}"), `unknown traffic "tracks": must be one of ingest, traces, metrics, logs, profiles, api`},
		"on place":        {free("{on: tracks, unit: requests, max: 1, window: 1m}"), "plans[free].limits[0].on"},
		"on left out":     {free("{unit: requests, max: 1, window: 1m}"), "plans::free::limits::0: on: missing: must be one of ingest"},
		"on null":         {free("{on: , unit: requests, max: 1, window: 1m}"), "plans::free::limits::0: on: missing: must be one of ingest"},
		"on number":       {free("{on: 1, unit: requests, max: 1, window: 1m}"), "plans::free::limits::0::on: 1 is no text: write it like ingest"},
		"on bool":         {free("{on: true, unit: requests, max: 1, window: 1m}"), "plans::free::limits::0::on: true is no text"},
		"unit":            {free("{on: ingest, unit: spans, max: 1, window: 1m}"), `unknown unit "spans": must be one of requests, items, bytes`},
		"unit null":       {free("{on: ingest, unit: ~, max: 1, window: 1m}"), "plans::free::limits::0: unit: missing: must be one of requests"},
		"unit number":     {free("{on: ingest, unit: 2, max: 1, window: 1m}"), "plans::free::limits::0::unit: 2 is no text: write it like requests"},
		"api items":       {free("{on: api, unit: items, max: 1, window: 1m}"), "plans::free::limits::0: unit: items are not counted on api"},
		"window":          {free("{on: ingest, unit: requests, max: 1, window: 1 minute}"), `window "1 minute": must be a number and a unit such as 30s`},
		"window short":    {free("{on: ingest, unit: requests, max: 1, window: 10ms}"), "plans::free::limits::0: window: 10ms is out of range: must be 1s to 31d"},
		"window long":     {free("{on: ingest, unit: requests, max: 1, window: 32d}"), "plans::free::limits::0: window: 32d is out of range"},
		"window left out": {free("{on: ingest, unit: requests, max: 1}"), "plans::free::limits::0: window: 0s is out of range"},
		"window number":   {free("{on: ingest, unit: requests, max: 1, window: 60}"), "plans::free::limits::0::window: 60 is no text: write it like 1m"},
		"null limit":      {free("~"), "plans::free::limits::0: on: missing"},
		"unknown field":   {free("{" + aLimit + ", burst: 5}"), "burst"},
		"second limit":    {free("{" + aLimit + "}, {on: api, unit: requests, max: -1, window: 1m}"), "plans::free::limits::1: max: -1"},
		"twice":           {free("{" + aLimit + "}, {" + aLimit + "}"), "plans::free: limits::1: limits::0 is on the same ingest requests in 1m: keep one of them"},
		"too many":        {free(strings.Repeat("{"+aLimit+"}, ", 17)), "plans::free: limits: 17 are too many: at most 16"},
		"one limit":       {plan("{limits: {" + aLimit + "}}"), "plans[free].limits"},

		"no plan":              {plan("~"), "plans::free: is empty: list its limits, or write {} for a plan without any"},
		"no limits":            {plan("{limits: , concurrency: 1}"), "plans::free::limits: is empty: give it a value or leave it out"},
		"no concurrency":       {plan("{concurrency: }"), "plans::free::concurrency: is empty: give it a value or leave it out"},
		"concurrency":          {plan("{concurrency: -1}"), "plans::free: concurrency: -1 is negative: must be 0 (any number) or more"},
		"concurrency fraction": {plan("{concurrency: 0.5}"), "plans::free::concurrency: 0.5 is no whole number"},
		"plan name":            {"plans: {two words: {}}", `name "two words": must be 1 to 64 letters`},
		"plan of limits":       {plan("[{" + aLimit + "}]"), "plans[free]"},
		"default plan":         {"plans: {gold: {}}\ndefault_plan: silver", `default_plan: unknown plan "silver": must be one of enterprise, free, gold, pro`},

		"key limit":        {key("limits: [{on: ingest, unit: requests, max: 0, window: 1m}]"), "keys::0::limits::0: max: 0"},
		"key limits twice": {key("limits: [{" + aLimit + "}, {" + aLimit + "}]"), "keys::0: limits::1: limits::0 is on the same"},
		"key window":       {key("limits: [{on: ingest, unit: requests, max: 1, window: 60}]"), "keys::0::limits::0::window: 60 is no text"},
		"key plan":         {"plans: {gold: {}}\n" + key("plan: silver"), `keys::0::plan: unknown plan "silver": must be one of enterprise, free, gold, pro`},

		"status":         {"limits: {over_limit_status: 500}", "limits: over_limit_status: 500 is no status for it: must be 429, or 503"},
		"flush too soon": {"limits: {flush_interval: 100ms}", "limits: flush_interval: 100ms is out of range: must be 1s to 10m0s"},
		"flush too late": {"limits: {flush_interval: 1h}", "limits: flush_interval: 1h0m0s is out of range"},
		"unknown":        {"limits: {redis: {addresses: [localhost:6379]}}", "redis"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeYAML(t, tt.config)
			require.Error(t, err)
			assert.ErrorContains(t, err, tt.want)
			assert.Equal(t, 1, strings.Count(err.Error(), tt.want), "said once: %v", err)
		})
	}
}

func TestConfiguredPlansAddToOrReplaceTheBuiltInOnes(t *testing.T) {
	cfg, err := decodeYAML(t, "plans: {free: {concurrency: 7}, gold: {limits: [{"+aLimit+"}]}}\ndefault_plan: gold")
	require.NoError(t, err)
	e, err := newExtension(extensiontest.NewNopSettings(NewFactory().Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Shutdown(t.Context()))
	assert.Equal(t, []string{"enterprise", "free", "gold", "pro"}, e.plans.Names())
	assert.Equal(t, "gold", e.plans.Default())
	free, _ := e.plans.Plan("free")
	assert.Equal(t, limit.Plan{Concurrency: 7}, free)
}

func TestWholeNumbersMayBeWrittenWithAnExponent(t *testing.T) {
	cfg, err := decodeYAML(t, "plans: {gold: {limits: [{on: ingest, unit: bytes, max: 5e9, window: 1d}]}}")
	require.NoError(t, err)
	assert.EqualValues(t, 5_000_000_000, cfg.Plans["gold"].Limits[0].Max)
}

func TestLimitsOfADeclaredKeyApply(t *testing.T) {
	digest := credential.Format{}.Mint(credential.Live).Digest()
	cfg, err := decodeYAML(t, "keys: [{name: a, preset: admin, plan: enterprise, digest: \""+digest.String()+"\", limits: [{"+aLimit+"}]}]")
	require.NoError(t, err)
	cfg.Storage.Directory, cfg.Admin.NetAddr.Endpoint = t.TempDir(), "localhost:0"
	e, err := newExtension(extensiontest.NewNopSettings(NewFactory().Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, e.Shutdown(t.Context())) }()

	id, refusal := e.keyring.Lookup(t.Context(), digest)
	require.Nil(t, refusal)
	assert.Equal(t, []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: 1, Window: limit.Window(time.Minute)}}, id.Limits.Limits())
	assert.Zero(t, id.Limits.Concurrency())
}

func TestTheAdminAPITellsWhatAKeyHasSpent(t *testing.T) {
	f := &fixture{telemetry: componenttest.NewTelemetry()}
	f.startExtension(t, fixtureOptions{})
	id, secret := f.keyRecord(t, func(k *store.Key) { k.Plan, k.Scopes = "free", []identity.Scope{identity.Admin} })
	handler, err := f.extension.adminHandler(records{keys: f.keys, lifetime: t.Context()})
	require.NoError(t, err)
	get := func() string {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/api-keys/"+id, nil)
		r.Header.Set("Authorization", "Bearer "+secret)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Body.String()
	}
	assert.Contains(t, get(), `"remaining":59,`, "of 60 calls in 1m, after this one")
	assert.Contains(t, get(), `"remaining":58,`)
}
