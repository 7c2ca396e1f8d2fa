package demo

import (
	"context"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// attempt is something that somebody tried and may not.
type attempt struct {
	ago      float64
	by       string // handle; empty: somebody without a key that is valid
	from     origin // of those
	action   string
	endpoint string
	target   string // name of a key
	reason   string
	status   int
}

var attempts = []attempt{
	{ago: 171, by: "fatima", action: audit.KeyCreate, endpoint: postKeys, reason: "not_permitted", status: 403},
	{ago: 119, by: "lucas", action: audit.KeyRead, endpoint: getKey, target: "payments-api", reason: "key_not_found", status: 404},
	{ago: 83, from: at("RU", 0, 1, 1), action: audit.AuditRead, endpoint: getAudit, reason: "no_credential", status: 401},
	{ago: 62, by: "oskar", action: audit.KeyCreate, endpoint: postKeys, reason: "scopes_exceed_role", status: 422},
	{ago: 41, by: "kenji", action: audit.KeyUpdate, endpoint: patchKey, target: "kenji-notebook", reason: "not_permitted", status: 403},
	{ago: 23.6, from: at("DE", 0, 1, 1), action: audit.KeyRead, endpoint: getKeys, reason: "disabled_key", status: 401},
	{ago: 23.59, from: at("DE", 0, 1, 1), action: audit.AccessRead, endpoint: getAllUsage, reason: "disabled_key", status: 401},
	{ago: 15.2, by: "oskar", action: audit.AuditRead, endpoint: getAudit, reason: "not_permitted", status: 403},
	{ago: 12.4, by: "sofia", action: audit.UserRead, endpoint: getUsers, reason: "user_not_found", status: 404},
	{ago: 9.8, by: "lucas", action: audit.KeyRevoke, endpoint: deleteKey, target: "android-app", reason: "key_not_found", status: 404},
	{ago: 6.1, from: at("CN", 2, 1, 1), action: audit.KeyRead, endpoint: getKeys, reason: "unknown_key", status: 401},
	{ago: 6.099, from: at("CN", 2, 1, 1), action: audit.UserRead, endpoint: getUsers, reason: "unknown_key", status: 401},
	{ago: 3.3, by: "mei", action: audit.KeyRotate, endpoint: rotateKey, target: "checkout-prod", reason: "key_not_found", status: 404},
	{ago: 1.72, by: "priya", action: audit.KeyCreate, endpoint: postKeys, reason: "exceeds_caller", status: 403},
	{ago: 0.35, by: "fatima", action: audit.KeyUpdate, endpoint: patchKey, target: "fatima-notebook", reason: "not_permitted", status: 403},
}

func (w *world) attempts() []event {
	events := make([]event, len(attempts))
	for i := range attempts {
		a := &attempts[i]
		at := w.workday(a.ago)
		if a.by == "" {
			at = w.back(a.ago)
		}
		events[i] = event{at, func(ctx context.Context) error { return w.try(ctx, a, at) }}
	}
	return events
}

func (w *world) try(ctx context.Context, a *attempt, at time.Time) error {
	record := store.Audit{Time: at, Action: a.action, Outcome: store.Refused, Reason: a.reason}
	if a.target != "" {
		record.Target = w.keyID(a.target)
	}
	if a.by != "" {
		who := by{person: w.person(a.by)}
		record.Actor = who.actor(w)
		outcome := access.Refused
		if a.status != 401 && a.status != 403 {
			outcome = access.Failed
		}
		w.callRefused(who, at, a.endpoint, outcome, a.reason, a.status)
	} else {
		record.Actor.Address = addressIn(a.from.country, a.from.first).String()
	}
	_, err := w.store.AppendAudit(ctx, record)
	return err
}

// backups are made once a week, by a machine.
func (w *world) backups() []event {
	var events []event
	first := w.workday(w.key(backupKey).age)
	for at := first.Truncate(7 * day).Add(8*day + 2*time.Hour + 1374*time.Millisecond); at.Before(w.Now); at = at.Add(7 * day) {
		events = append(events, event{at, func(ctx context.Context) error {
			who := by{key: backupKey}
			w.called(who, at, getBackup)
			_, err := w.store.AppendAudit(ctx, store.Audit{Time: at, Actor: who.actor(w), Action: audit.BackupCreate})
			return err
		}})
	}
	return events
}
