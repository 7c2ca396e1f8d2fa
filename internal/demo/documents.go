package demo

import (
	"context"
	"time"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/provision"
)

// applied is when documents that declare keys were applied, in days ago. The
// first holds all declared keys, the second leaves out those that were retired.
var applied = [2]float64{132, 33}

// retired are the declared keys that the last document does not hold.
var retired = map[string]bool{"dagster-prod": true}

func (w *world) documents() []event {
	events := make([]event, len(applied))
	for n, ago := range applied {
		at := w.workday(ago)
		events[n] = event{at, func(ctx context.Context) error { return w.apply(ctx, w.document(n > 0, at), at) }}
	}
	return events
}

func (w *world) document(latest bool, at time.Time) declaration.Document {
	d := declaration.Document{Users: []declaration.User{{ID: "team-data-platform", Email: "data-platform@example.com", Name: "Data Platform team", Role: "member"}}}
	for _, k := range w.keys {
		if !k.declared || (latest && retired[k.name]) {
			continue
		}
		record := w.draft(k, at)
		declared := declaration.Key{
			ID: record.ID, Name: k.name, Description: k.description, Digest: credential.Digest(record.Secrets[0].Digest).String(),
			Hint: record.Secrets[0].Hint, Type: string(record.Type), Role: string(record.Role),
			Projects: k.projects, Plan: k.plan, Limits: k.limits, AllowedIPs: k.allowed,
		}
		for _, scope := range k.scopes {
			declared.Scopes = append(declared.Scopes, string(scope))
		}
		d.Keys = append(d.Keys, declared)
	}
	return d
}

func (w *world) apply(ctx context.Context, d declaration.Document, at time.Time) error {
	plans, err := limit.NewPlans(nil, limit.DefaultPlan)
	if err != nil {
		return err
	}
	records, err := d.Records(plans)
	if err != nil {
		return err
	}
	by := w.administrator(at)
	if _, err := provision.Reconcile(ctx, w.store, records, provision.Options{Source: provision.Applied, Actor: by.actor(w), Now: at}); err != nil {
		return err
	}
	w.called(by, at, postApply)
	for _, k := range w.keys {
		if !k.declared {
			continue
		}
		if k.record, err = w.store.Key(ctx, w.keyID(k.name)); err != nil {
			return err
		}
	}
	return nil
}
