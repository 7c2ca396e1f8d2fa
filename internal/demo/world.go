package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/alert"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/insight"
	"github.com/otlpgate/otlpgate/internal/kv/badgerkv"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/provision"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
	"github.com/otlpgate/otlpgate/internal/usage"
)

// world is the company at a moment of its past, with the stores of its collector.
type world struct {
	Options
	store   *badgerstore.Store
	insight *badgerkv.Store
	ledger  *usage.Ledger
	log     *accesslog.Log
	alerts  *alert.Runner
	uses    lastUses
	rates   rates

	clock        time.Time // the moment
	people       []*person
	keys         []*key
	crowd        *crowd
	keysByName   map[string]*key
	bootstrap    store.Key
	adminKeyFile string
	signIns      map[string]credential.Secret
	strangers    *strangers
	pending      access.Taken // since the last flush
	requests     map[string]int64
}

func newWorld(ctx context.Context, o Options) (*world, error) {
	w := &world{
		Options: o, uses: lastUses{}, rates: rates{}, people: newPeople(), keys: newKeys(), keysByName: map[string]*key{},
		signIns: map[string]credential.Secret{}, requests: map[string]int64{}, strangers: newStrangers(o.Seed),
	}
	w.clock = w.back(firstDay)
	w.introduce()
	var err error
	if w.store, err = badgerstore.Open(ctx, badgerstore.Options{Directory: o.Directory}); err != nil {
		return nil, err
	}
	if w.insight, err = badgerkv.Open(ctx, badgerkv.Options{Directory: filepath.Join(o.Directory, insight.Directory)}); err != nil {
		return nil, errors.Join(err, w.store.Close())
	}
	now := func() time.Time { return w.clock }
	w.ledger = usage.NewLedger(w.insight, insight.DefaultUsageRetention)
	w.log = accesslog.New(accesslog.Options{
		Store: w.insight, Retention: insight.DefaultLogRetention, Redact: credential.Format{}.Redactor().Redact, Now: now,
	})
	w.alerts = alert.New(alert.Options{
		Rules: alert.DefaultRules(), Store: w.insight, Keys: w.store, LastUses: w.uses.of, Usage: w.rates, Now: now,
	})
	return w, nil
}

// introduce tells keys of their owners and plans, and which of them are to have
// usage.
func (w *world) introduce() {
	wanted := w.UsageKeys
	if wanted == 0 {
		wanted = len(w.keys)
	}
	plans := limit.BuiltinPlans()
	for _, k := range w.keys {
		w.keysByName[k.name] = k
		k.user, k.dice = w.person(k.owner), newDice(w.Seed, k.name)
		k.perMin = requestsPerMinute(plans, k)
		if k.sender != nil && wanted > 0 {
			k.sending = true
			wanted--
		}
	}
	w.crowd = w.newCrowd(w.Keys-len(w.keys)-1, min(wanted, w.UsageKeys)) // one is the administrator's
}

// requestsPerMinute returns how many requests a key may send, zero: any number.
func requestsPerMinute(plans map[string]limit.Plan, k *key) float64 {
	plan := k.plan
	if plan == "" {
		plan = limit.DefaultPlan
	}
	for _, l := range slices.Concat(k.limits, plans[plan].Limits) {
		if l.On == limit.Ingest && l.Unit == limit.Requests {
			return float64(l.Max)
		}
	}
	return 0
}

// person returns the one with a handle, nil where there is none.
func (w *world) person(handle string) *person {
	for _, p := range w.people {
		if p.handle == handle {
			return p
		}
	}
	return nil
}

func (w *world) key(name string) *key { return w.keysByName[name] }

// found lets the company begin: with its administrator's first key.
func (w *world) found(ctx context.Context) error {
	outcome, err := provision.Bootstrap{
		Store: w.store, Directory: w.Directory, AdminKey: w.AdminKey, Now: func() time.Time { return w.clock },
	}.Run(ctx)
	if err != nil {
		return err
	}
	w.adminKeyFile = outcome.KeyFile
	for key, err := range store.AllKeys(ctx, w.store, store.KeyFilter{Type: identity.SystemKey}) {
		if err != nil {
			return err
		}
		w.bootstrap = key
	}
	if err := w.mintSignIns(); err != nil {
		return err
	}
	return w.writeCountries()
}

func (w *world) close() error { return errors.Join(w.insight.Close(), w.store.Close()) }

func (w *world) summary() Summary {
	return Summary{
		Directory: w.Directory, AdminKeyFile: w.adminKeyFile,
		SignInFile: filepath.Join(w.Directory, signInFile), CountriesFile: filepath.Join(w.Directory, countriesFile),
		Users: len(w.people) + 2 + w.crowd.users(), Keys: len(w.keys) + 1 + w.crowd.size, Requests: w.requests,
	}
}

// say tells how far it has come.
func (w *world) say(format string, args ...any) { _, _ = fmt.Fprintf(w.Progress, format+"\n", args...) }
