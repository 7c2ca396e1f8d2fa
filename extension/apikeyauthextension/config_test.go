package apikeyauthextension

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/alert"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// load reads a section of testdata/config.yaml as the collector would.
func load(t *testing.T, section string) (*Config, error) {
	t.Helper()
	file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := file.Sub(section)
	require.NoError(t, err)
	return decode(sub)
}

func decode(conf *confmap.Conf) (*Config, error) {
	cfg := createDefaultConfig().(*Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestTheDefaultConfigurationIsValid(t *testing.T) {
	cfg, err := load(t, "apikeyauth")
	require.NoError(t, err)
	assert.Equal(t, createDefaultConfig(), cfg)
}

func TestEverySettingIsRead(t *testing.T) {
	cfg, err := load(t, "apikeyauth/full")
	require.NoError(t, err)
	assert.Equal(t, "/var/lib/otlpgate", cfg.Storage.Directory)
	assert.Equal(t, CredentialsConfig{Headers: []string{"x-api-key"}, Prefix: "acme"}, cfg.Credentials)
	assert.Equal(t, CacheConfig{MaxKeys: 5000, NegativeTTL: time.Minute}, cfg.Cache)
	assert.False(t, cfg.EarlyRefusal)
	assert.Equal(t, []string{"10.0.0.0/8", "192.0.2.1"}, cfg.TrustedProxies)
	assert.Equal(t, map[string]limit.Plan{
		"pro": {
			Limits: []limit.Limit{
				{On: limit.Ingest, Unit: limit.Requests, Max: 2000, Window: limit.Window(time.Minute)},
				{On: limit.Traces, Unit: limit.Items, Max: 5_000_000, Window: limit.Window(24 * time.Hour)},
			},
			Concurrency: 30,
		},
		"gold": {},
	}, cfg.Plans)
	assert.Equal(t, "pro", cfg.DefaultPlan)
	assert.Equal(t, LimitsConfig{OverLimitStatus: 503, FlushInterval: time.Minute}, cfg.Limits)
	assert.Equal(t, "0.0.0.0:9999", cfg.Admin.NetAddr.Endpoint)
	assert.Equal(t, UsageConfig{FlushInterval: 30 * time.Second, Retention: Span(90 * day), MetricsPerKey: true}, cfg.Usage)
	assert.Equal(t, AccessLogConfig{Detail: access.All, Retention: Span(12 * time.Hour), Emit: true}, cfg.AccessLog)
	assert.Equal(t, GeoIPConfig{Database: "/etc/GeoLite2-Country.mmdb"}, cfg.GeoIP)
	assert.Equal(t, alert.Rules{
		ErrorRate: 0.125, MinRequests: 10, RateWindow: 15 * time.Minute, ExpiringWithin: 7 * day, OldSecretWithin: 90 * time.Minute,
	}, cfg.Alerts.rules())
	assert.Equal(t, "http://localhost:9093", cfg.Alerts.Alertmanager.Endpoint)
	assert.Equal(t, 5*time.Second, cfg.Alerts.Alertmanager.Timeout)
	assert.Equal(t, "https://example.com/hook", cfg.Alerts.Webhook.Endpoint)

	plans, err := cfg.plans()
	require.NoError(t, err)
	declared, err := cfg.declared().Records(plans)
	require.NoError(t, err)
	assert.Equal(t, []store.User{
		{ID: "user_x", Email: "x@example.com", Name: "X", Role: identity.Viewer},
		{ID: "team", Name: "team", Role: identity.Member, Active: true},
	}, declared.Users)
	require.Len(t, declared.Keys, 2)

	full := declared.Keys[0]
	assert.Equal(t, "key_aaaaaaaaaaaaaaaaaaaa", full.ID)
	assert.Equal(t, identity.UserKey, full.Type)
	assert.Equal(t, "user_x", full.OwnerID)
	assert.Equal(t, []identity.Scope{identity.TracesWrite, identity.LogsWrite}, full.Scopes)
	assert.Equal(t, time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC), full.ExpiresAt)
	assert.Equal(t, "203.0.113.0/24", full.AllowedIPs[0].String())
	assert.Equal(t, []limit.Limit{{On: limit.Logs, Unit: limit.Bytes, Max: 1_000_000, Window: limit.Window(90 * time.Minute)}}, full.Limits)

	least := declared.Keys[1]
	assert.Equal(t, identity.SystemKey, least.Type)
	assert.Equal(t, store.KeyIDFor(least.Secrets[0].Digest), least.ID)
	assert.Equal(t, identity.Member.Scopes().List(), least.Scopes)
}

func TestBadConfigurationNamesTheSettingTheValueTheRuleAndTheRemedy(t *testing.T) {
	digest := credential.Format{}.Mint(credential.Live).Digest().String()
	key := func(extra map[string]any) map[string]any {
		k := map[string]any{"name": "a", "digest": digest, "scopes": []any{"traces:write"}}
		for name, v := range extra {
			if v == nil {
				delete(k, name)
				continue
			}
			k[name] = v
		}
		return map[string]any{"keys": []any{k}}
	}
	user := func(field string, value any) map[string]any {
		return map[string]any{"users": []any{map[string]any{"id": "ok"}, map[string]any{field: value}}}
	}
	userKey := credential.Format{}.Mint(credential.Live).Reveal()
	for name, tt := range map[string]struct {
		config map[string]any
		want   []string
	}{
		"directory":          {map[string]any{"storage": map[string]any{"directory": ""}}, []string{"storage", "directory", "must not be empty"}},
		"header":             {map[string]any{"credentials": map[string]any{"headers": []any{"x key"}}}, []string{"credentials", "headers", "x key"}},
		"prefix":             {map[string]any{"credentials": map[string]any{"prefix": "PX"}}, []string{"credentials", "prefix", "PX"}},
		"max_keys":           {map[string]any{"cache": map[string]any{"max_keys": 0}}, []string{"cache", "max_keys", "0", "at least 1"}},
		"too many keys":      {map[string]any{"cache": map[string]any{"max_keys": 1_000_000_000_000}}, []string{"cache", "max_keys", "1000000000000", "at most 100000000"}},
		"negative_ttl":       {map[string]any{"cache": map[string]any{"negative_ttl": "-1s"}}, []string{"cache", "negative_ttl", "-1s"}},
		"trusted_proxies":    {map[string]any{"trusted_proxies": []any{"10.0.0.0/99"}}, []string{"trusted_proxies", "10.0.0.0/99"}},
		"default_plan":       {map[string]any{"default_plan": "gold"}, []string{"default_plan", "gold", "enterprise, free, pro"}},
		"admin_key":          {map[string]any{"bootstrap": map[string]any{"admin_key": userKey}}, []string{"bootstrap::admin_key", "must be a system key", "gatectl keys mint"}},
		"admin ui attribute": {map[string]any{"admin": map[string]any{"endpoint": "localhost:0", "ui": map[string]any{"user_attribute": "claims.email"}}}, []string{"admin", "ui::user_attribute", "claims.email", "no effect without auth"}},
		"admin ui idle":      {map[string]any{"admin": map[string]any{"endpoint": "localhost:0", "ui": map[string]any{"session_idle": "0s"}}}, []string{"admin", "ui::session_idle", "must be more than 0"}},
		"admin ui max":       {map[string]any{"admin": map[string]any{"endpoint": "localhost:0", "ui": map[string]any{"session_max": "-1h"}}}, []string{"admin", "ui::session_max", "-1h0m0s", "must be more than 0"}},
		"admin endpoint":     {map[string]any{"admin": map[string]any{"endpoint": ""}}, []string{"admin", "endpoint"}},
		"unknown setting":    {map[string]any{"storrage": map[string]any{}}, []string{"storrage"}},
		"wrong type":         {map[string]any{"cache": map[string]any{"max_keys": "many"}}, []string{"cache.max_keys", "int64", "string"}},
		"key digest":         {key(map[string]any{"digest": "sha256:abc"}), []string{"keys::0", "digest", "sha256:"}},
		"key scope":          {key(map[string]any{"scopes": []any{"traces:wrote"}}), []string{"keys::0", "scopes::0", "traces:wrote", "traces:write"}},
		"key no scopes":      {key(map[string]any{"scopes": nil}), []string{"keys::0", "scopes", "either scopes or preset"}},
		"key both":           {key(map[string]any{"preset": "admin"}), []string{"keys::0", "either scopes or preset"}},
		"key id":             {key(map[string]any{"id": "mine"}), []string{"keys::0", "id", "mine", "key_"}},
		"key name":           {key(map[string]any{"name": " "}), []string{"keys::0", "name"}},
		"key plan":           {key(map[string]any{"plan": "gold"}), []string{"keys::0::plan: unknown plan", "gold", "enterprise, free, pro"}},
		"key type":           {key(map[string]any{"type": "robot"}), []string{"keys::0", "type", "robot"}},
		"key owner":          {key(map[string]any{"owner_id": "user_x"}), []string{"keys::0", "owner_id", "user_x", "system key"}},
		"key role":           {key(map[string]any{"type": "user", "role": "viewer"}), []string{"keys::0", "role", "viewer"}},
		"key address":        {key(map[string]any{"allowed_ips": []any{"300.1.1.1"}}), []string{"keys::0", "allowed_ips", "300.1.1.1"}},
		"key unknown":        {key(map[string]any{"secret": "x"}), []string{"secret"}},
		"key country":        {key(map[string]any{"expected_countries": []any{"Germany"}}), []string{"keys::0", "expected_countries::0", "Germany", "such as DE"}},
		"key own limit":      {key(map[string]any{"limits": []any{map[string]any{"on": "logs", "unit": "items", "window": "1m"}}}), []string{"keys::0::limits::0", "max", "must be 1 to"}},
		"user id":            {user("id", "a b"), []string{"users::1", "id", "a b", "letters, digits"}},
		"user built in":      {user("id", "admin"), []string{"users::1", "id", "admin", "cannot be declared"}},
		"user without id":    {user("role", "member"), []string{"users::1", "id", "email"}},
		"user email":         {user("email", "ada"), []string{"users::1", "email", "ada", "such as ada@example.com"}},
		"user unknown":       {user("password", "x"), []string{"password"}},
		"user twice":         {user("id", "ok"), []string{"users::1", "users::0", "declare each user once"}},
		"key plain secret":   {key(map[string]any{"digest": userKey}), []string{"keys::0", "digest"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(confmap.NewFromStringMap(tt.config))
			require.Error(t, err)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), userKey)
		})
	}
}

func TestKeysAreDeclaredOnce(t *testing.T) {
	digest := credential.Format{}.Mint(credential.Live).Digest().String()
	k := map[string]any{"name": "a", "digest": digest, "scopes": []any{"traces:write"}}
	_, err := decode(confmap.NewFromStringMap(map[string]any{"keys": []any{k, k}}))
	require.Error(t, err)
	assert.Equal(t, 2, strings.Count(err.Error(), "declare each key once"), "id and digest: %v", err)
}

func TestAFaultOfADeclaredRecordIsToldOnce(t *testing.T) {
	_, err := decodeYAML(t, "users: [{id: a b}]\nkeys: [{name: a, preset: admin, plan: gold, digest: x, limits: [{on: logs, unit: items, max: 0, window: 1m}]}]")
	require.Error(t, err)
	for _, rule := range []string{"users::0: id: ", "keys::0: digest: ", "keys::0::plan: ", "keys::0::limits::0: max: "} {
		assert.Equal(t, 1, strings.Count(err.Error(), rule), "%s: %v", rule, err)
	}
	assert.Equal(t, 4, strings.Count(err.Error(), "\n")+1, "%v", err)
}
