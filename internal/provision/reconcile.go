package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/store"
)

// Source is where declared records come from.
type Source int

const (
	// Configuration is that of the collector, read at start. It takes over
	// applied records that it names.
	Configuration Source = iota
	// Applied is a document that is applied while the collector runs. It may
	// change records of the configuration, until the next start.
	Applied
)

// Store is the part of a store that is reconciled.
type Store interface {
	store.Keys
	store.Users
}

// Options say on whose behalf records are reconciled.
type Options struct {
	Source Source
	// Actor stands in the audit log; zero for the collector itself.
	Actor store.Actor
	// Now is the time of all changes.
	Now time.Time
	// DryRun plans and writes nothing.
	DryRun bool
}

// Kind tells users from keys.
type Kind string

// The kinds of records that can be declared.
const (
	User Kind = "user"
	Key  Kind = "key"
)

// Action is what is done with a record.
type Action string

// A record that was withdrawn is restored where it is declared again.
const (
	Create   Action = "create"
	Update   Action = "update"
	Restore  Action = "restore"
	Withdraw Action = "withdraw"
)

// Change is what a reconciliation does with one record. It never holds a
// secret or a digest.
type Change struct {
	Kind   Kind
	ID     string
	Name   string
	Action Action
	Fields map[string]store.Change // as in the audit log
}

// Result tells what a reconciliation has done, or would do.
type Result struct {
	// Changes are in the order in which they are made.
	Changes []Change
	// Unchanged counts the records of the document that were so already.
	Unchanged int
	// Kept are the ids of records in force that the configuration declares and
	// an applied document does not name.
	Kept []string
}

// Count returns how many records of the kind that was done with.
func (r *Result) Count(kind Kind, action Action) int {
	n := 0
	for i := range r.Changes {
		if r.Changes[i].Kind == kind && r.Changes[i].Action == action {
			n++
		}
	}
	return n
}

// Reconcile makes the declared records of a store be those of a document: new
// ones are created, changed ones updated, and those of the same source that are
// no longer named withdrawn, which refuses them until they are declared again.
// Records made through the API are never touched.
//
// It plans before it writes: where the document cannot be carried out, the error
// holds declaration.Errors and nothing is written. An error of a write leaves a
// part done, which the next run completes. It holds a declaration.Error too where
// a record has changed since the plan, so that the document collides with it.
func Reconcile(ctx context.Context, s Store, declared declaration.Records, o Options) (Result, error) {
	users, err := newPlan(ctx, userKind(s), o, declared.Users)
	if err != nil {
		return Result{}, err
	}
	keys, err := newPlan(ctx, keyKind(s, o.Now), o, declared.Keys)
	if err != nil {
		return Result{}, err
	}
	owners, err := ownerFaults(ctx, s, users, declared.Keys)
	if err != nil {
		return Result{}, err
	}
	if err := errors.Join(slices.Concat(users.faults, keys.faults, owners)...); err != nil {
		return Result{}, err
	}
	if !o.DryRun {
		// No key is without its owner: users come first and go last.
		if err := carryOut(ctx, slices.Concat(users.declares, keys.declares, keys.withdraws, users.withdraws)); err != nil {
			return Result{}, err
		}
	}
	return Result{
		Changes:   slices.Concat(users.declared, keys.declared, keys.withdrawal, users.withdrawal),
		Unchanged: users.unchanged + keys.unchanged,
		Kept:      slices.Concat(users.kept, keys.kept),
	}, nil
}

// errAsWanted ends a write that finds nothing left to be done.
var errAsWanted = errors.New("nothing to change")

func carryOut(ctx context.Context, writes []write) error {
	for done, write := range writes {
		if err := write(ctx); err != nil && !errors.Is(err, errAsWanted) {
			return fmt.Errorf("%w; %d of %d steps were done: reconcile again to complete them", err, done, len(writes))
		}
	}
	return nil
}
