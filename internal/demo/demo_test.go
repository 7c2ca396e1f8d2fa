package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/alert"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/geo"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/insight"
	"github.com/otlpgate/otlpgate/internal/kv/badgerkv"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
	"github.com/otlpgate/otlpgate/internal/usage"
)

// ahead is a now at which nothing has expired.
var ahead = time.Date(2126, 11, 26, 11, 45, 30, 0, time.UTC)

// small is a company with little usage.
func small(t *testing.T) Options {
	t.Helper()
	return Options{Directory: filepath.Join(t.TempDir(), "data"), Now: ahead, Days: 1, UsageKeys: 4}
}

func seeded(t *testing.T, o Options) Summary {
	t.Helper()
	summary, err := Seed(t.Context(), o)
	require.NoError(t, err)
	return summary
}

// opened are the stores of a directory, as the collector opens them.
type opened struct {
	*badgerstore.Store
	ledger *usage.Ledger
	log    *accesslog.Log
	alerts *alert.Runner
}

func open(t *testing.T, directory string) *opened {
	t.Helper()
	s, err := badgerstore.Open(t.Context(), badgerstore.Options{Directory: directory})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	kept, err := badgerkv.Open(t.Context(), badgerkv.Options{Directory: filepath.Join(directory, insight.Directory)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, kept.Close()) })
	o := &opened{
		Store: s, ledger: usage.NewLedger(kept, insight.DefaultUsageRetention),
		log:    accesslog.New(accesslog.Options{Store: kept, Retention: insight.DefaultLogRetention}),
		alerts: alert.New(alert.Options{Store: kept, Keys: s}),
	}
	require.NoError(t, o.alerts.Start(t.Context()))
	t.Cleanup(o.alerts.Shutdown)
	return o
}

func (o *opened) allKeys(t *testing.T) map[string]store.Key {
	t.Helper()
	keys := map[string]store.Key{}
	for key, err := range store.AllKeys(t.Context(), o, store.KeyFilter{}) {
		require.NoError(t, err)
		keys[key.Name] = key
	}
	return keys
}

// audit lists the audit log, oldest first.
func (o *opened) audit(t *testing.T) []store.Audit {
	t.Helper()
	all := storetest.AllAudit(t, o)
	slices.Reverse(all)
	return all
}

func (o *opened) requests(t *testing.T, id string, step usage.Step) int64 {
	t.Helper()
	kept, longest := o.ledger.Bounds(step)
	series, err := o.ledger.Read(t.Context(), id, ahead.Add(-min(kept, longest)), ahead.Add(time.Minute), step)
	require.NoError(t, err)
	sum := series.Sum()
	total := sum.Total()
	return total.Requests
}

// crowded is more keys than the company has.
const crowded = 100

func TestASeededDirectory(t *testing.T) {
	t.Parallel()
	o := small(t)
	o.Keys = crowded
	summary := seeded(t, o)
	s := open(t, o.Directory)
	t.Run("has an audit log that verifies", func(t *testing.T) { checkAudit(t, s) })
	t.Run("has the usage that was seeded", func(t *testing.T) { checkUsage(t, s, &summary) })
	t.Run("has keys in every state", func(t *testing.T) { checkKeys(t, s, &summary) })
	t.Run("knows the countries of its addresses", func(t *testing.T) { checkCountries(t, &summary) })
	t.Run("is left alone by another seed", func(t *testing.T) {
		_, err := Seed(t.Context(), o)
		require.ErrorContains(t, err, "must be empty, or not exist: remove it, or name another")
		assert.Len(t, s.allKeys(t), crowded)
	})
}

func checkAudit(t *testing.T, s *opened) {
	t.Helper()
	records := s.audit(t)
	require.Empty(t, storetest.BrokenLinks(storetest.AllAudit(t, s)))
	var last time.Time
	for i, a := range records {
		require.EqualValues(t, i+1, a.Seq)
		require.False(t, a.Time.Before(last), "record %d is of before the one before", a.Seq)
		require.False(t, a.Time.After(ahead))
		last = a.Time
	}
	outcomes := map[store.Outcome]bool{}
	for _, a := range records {
		outcomes[a.Outcome] = true
		if a.Outcome == store.Success && a.Seq > 2 { // the first two are the collector's
			assert.NotEmpty(t, a.Actor.KeyID, "record %d, %s, has nobody who did it", a.Seq, a.Action)
		}
	}
	assert.Len(t, outcomes, 2)
}

func checkUsage(t *testing.T, s *opened, summary *Summary) {
	t.Helper()
	keys := s.allKeys(t)
	var all int64
	for name, n := range summary.Requests {
		id := usage.Strangers
		if name != Strangers {
			id = keys[name].ID
		}
		assert.Equal(t, n, s.requests(t, id, usage.Day), "%q", name)
		assert.Equal(t, n, s.requests(t, id, usage.Hour), "%q", name)
		all += n
	}
	assert.Equal(t, all, s.requests(t, usage.Everything, usage.Day))
	assert.Equal(t, all, s.logged(t))
	assert.Greater(t, summary.Requests["checkout-prod"], int64(10_000))
}

// logged returns how many requests the access log tells of.
func (o *opened) logged(t *testing.T) int64 {
	t.Helper()
	var n int64
	for page := (store.Page{Limit: store.MaxLimit}); ; {
		found, err := o.log.List(t.Context(), accesslog.Filter{}, page)
		require.NoError(t, err)
		for i := range found.Entries {
			n += found.Entries[i].Requests
			require.False(t, found.Entries[i].Time.After(ahead))
			require.True(t, found.Entries[i].Counted || found.Entries[i].Outcome == "refused")
		}
		if page.Cursor = found.Next; found.Next == "" {
			return n
		}
	}
}

func checkKeys(t *testing.T, s *opened, summary *Summary) {
	t.Helper()
	states, declared, signIns := map[store.Status]int{}, 0, 0
	keys := s.allKeys(t)
	assert.Len(t, keys, summary.Keys)
	assert.Len(t, keys, crowded)
	for _, k := range keys {
		var owner *store.User
		if k.OwnerID != "" {
			user, err := s.User(t.Context(), k.OwnerID)
			require.NoError(t, err)
			owner = &user
		}
		states[k.StatusAt(ahead, owner)]++
		if k.Declared && !k.Withdrawn {
			declared++
		}
		role := k.Role
		if owner != nil {
			role = owner.Role
		}
		assert.True(t, role.Scopes().HasAll(identity.NewScopeSet(k.Scopes...)), "%s has scopes beyond %s", k.Name, role)
	}
	assert.Len(t, states, 4, "active, expired, revoked, disabled")
	assert.Equal(t, 3, declared)
	assert.Len(t, keys["llm-gateway"].Secrets, 2)

	text, err := os.ReadFile(summary.SignInFile)
	require.NoError(t, err)
	for _, found := range regexp.MustCompile(credential.Pattern(credential.Format{})).FindAllString(string(text), -1) {
		secret, err := credential.Format{}.Parse(found)
		require.NoError(t, err)
		k, err := s.KeyByDigest(t.Context(), store.Digest(secret.Digest()))
		require.NoError(t, err)
		assert.NotContains(t, k.Scopes, identity.Admin)
		signIns++
	}
	assert.Equal(t, 2, signIns)
}

func checkCountries(t *testing.T, summary *Summary) {
	t.Helper()
	db, err := geo.Open(summary.CountriesFile, geo.Options{})
	require.NoError(t, err)
	for _, country := range append(slices.Clone(countries), inside) {
		for _, host := range []int{0, 13, 14, 900} {
			assert.Equal(t, country, db.Country(addressIn(country, host)))
		}
	}
}

func TestTheSameSeedGivesTheSamePast(t *testing.T) {
	t.Parallel()
	first, second := small(t), small(t)
	first.Keys, second.Keys = crowded, crowded
	a, b := seeded(t, first), seeded(t, second)
	assert.Equal(t, a.Requests, b.Requests)
	assert.Equal(t, a.Keys, b.Keys)
	one, other := open(t, first.Directory), open(t, second.Directory)
	assert.Equal(t, portrait(t, one), portrait(t, other))
}

// portrait tells all that follows from the seed: not what the administrator's
// key is, nor those of the plain users, nor in which order a throng was written.
func portrait(t *testing.T, o *opened) []string {
	t.Helper()
	var lines []string
	tell := func(record any) {
		text, err := json.Marshal(record)
		require.NoError(t, err)
		lines = append(lines, string(text))
	}
	keys := o.allKeys(t)
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		k := keys[name]
		if k.Bootstrap {
			continue
		}
		k.Revision = 0
		k.CreatedBy = strings.Replace(k.CreatedBy, keys["bootstrap"].ID, "bootstrap", 1)
		if name == "priya-laptop" || name == "fatima-notebook" {
			k.Secrets = nil
		}
		tell(k)
	}
	for user, err := range store.AllUsers(t.Context(), o, store.UserFilter{}) {
		require.NoError(t, err)
		user.Revision = 0
		tell(user)
	}
	slices.Sort(lines)
	return lines
}

// People work from Monday to Friday: what they do must not change its order for
// that, whatever the day and the length of the past.
func TestThePastIsPossibleOnEveryDay(t *testing.T) {
	t.Parallel()
	for n := range 7 {
		o := Options{Directory: t.TempDir(), Now: ahead.AddDate(0, 0, n).Add(time.Duration(3*n) * time.Hour), Days: 1 + 60*n, Seed: uint64(n)}
		require.NoError(t, o.complete())
		w, err := newWorld(t.Context(), o)
		require.NoError(t, err)
		require.NoError(t, w.found(t.Context()))
		_, err = w.happen(t.Context(), w.timeline(), w.Now)
		require.NoError(t, err)
		require.NoError(t, w.close())
		for _, a := range open(t, o.Directory).audit(t)[2:] {
			require.True(t, a.Outcome == store.Refused || a.Actor.KeyID != "", "record %d, %s, has nobody who did it", a.Seq, a.Action)
		}
	}
}

// actOut seeds with the usage of some of the company's keys alone.
func actOut(t *testing.T, o Options, names ...string) Summary {
	t.Helper()
	require.NoError(t, o.complete())
	w, err := newWorld(t.Context(), o)
	require.NoError(t, err)
	for _, k := range w.keys {
		k.sending = slices.Contains(names, k.name)
	}
	require.NoError(t, w.found(t.Context()))
	require.NoError(t, w.live(t.Context()))
	require.NoError(t, w.close())
	return w.summary()
}

func TestAlertsOfAllKindsFireAndEnd(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("seeds three weeks")
	}
	o := Options{Directory: t.TempDir(), Now: ahead, Days: 17}
	actOut(t, o, "recsys-trainer", "quarterly-report", "llm-gateway", "feature-store", "payments-api", "recommendations")
	page, err := open(t, o.Directory).alerts.List(t.Context(), alert.Filter{}, store.Page{Limit: store.MaxLimit})
	require.NoError(t, err)
	found := map[alert.State]map[alert.Kind]bool{alert.Firing: {}, alert.Resolved: {}}
	for _, a := range page.Alerts {
		found[a.State][a.Kind] = true
	}
	for _, kind := range alert.Kinds() {
		assert.True(t, found[alert.Firing][kind], "%s fires", kind)
		assert.True(t, found[alert.Resolved][kind], "%s has ended", kind)
	}
}

func TestWhatCannotBeSeededIsRefused(t *testing.T) {
	t.Parallel()
	for want, edit := range map[string]func(*Options){
		"401 days are out of range: must be 1 to 400": func(o *Options) { o.Days = 401 },
		"must not be negative":                        func(o *Options) { o.Keys = -1 },
		"must be a system key":                        func(o *Options) { o.AdminKey = credential.Format{}.Mint(credential.Live).Reveal() },
		"name another":                                func(o *Options) { o.Directory = "" },
	} {
		o := small(t)
		edit(&o)
		_, err := Seed(t.Context(), o)
		require.ErrorContains(t, err, want)
	}
}

func TestWhoBreaksOffLeavesNothing(t *testing.T) {
	t.Parallel()
	o := small(t)
	ctx, end := context.WithCancel(t.Context())
	o.Progress = writerFunc(func([]byte) (int, error) { end(); return 0, nil })
	_, err := Seed(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
	assert.NoDirExists(t, o.Directory)

	require.NoError(t, os.Mkdir(o.Directory, 0o700))
	_, err = Seed(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
	entries, err := os.ReadDir(o.Directory)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestSecretsAreInTheirFilesAlone(t *testing.T) {
	t.Parallel()
	o := small(t)
	o.AdminKey = credential.Format{}.Mint(credential.Sys).Reveal()
	var told bytes.Buffer
	o.Progress = &told
	summary := seeded(t, o)
	summary.Print(&told)
	assert.Empty(t, summary.AdminKeyFile)
	pattern := regexp.MustCompile(credential.Pattern(credential.Format{}))
	assert.False(t, pattern.Match(told.Bytes()))
	require.NoError(t, filepath.WalkDir(o.Directory, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if path != summary.SignInFile {
			assert.Nil(t, pattern.Find(text), "a key is in %s", path)
		}
		return err
	}))
	for path, mode := range map[string]fs.FileMode{summary.SignInFile: 0o600, o.Directory: 0o700} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode().Perm(), path)
	}
	secret, err := credential.Format{}.Parse(o.AdminKey)
	require.NoError(t, err)
	k, err := open(t, o.Directory).KeyByDigest(t.Context(), store.Digest(secret.Digest()))
	require.NoError(t, err)
	assert.True(t, k.Bootstrap)
}

// Those of the crowd send too, where more are wanted than the company has.
func TestACrowdHasAsMuchUsageAsIsWanted(t *testing.T) {
	t.Parallel()
	o := small(t)
	o.Directory, o.Keys, o.UsageKeys = t.TempDir(), crowded, 70
	summary := actOut(t, o)
	s := open(t, o.Directory)
	sending := 0
	for name, n := range summary.Requests {
		if strings.HasPrefix(name, "tenant-") && n > 0 {
			sending++
			assert.Equal(t, n, s.requests(t, s.allKeys(t)[name].ID, usage.Day))
		}
	}
	assert.Greater(t, sending, 5)
}

func BenchmarkSeed(b *testing.B) {
	for _, keys := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			for b.Loop() {
				_, err := Seed(b.Context(), Options{Directory: b.TempDir(), Keys: keys, Days: 30, UsageKeys: 3})
				require.NoError(b, err)
			}
		})
	}
}
