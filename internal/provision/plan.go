package provision

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/store"
)

// plan is what is to be done with the records of one kind.
type plan[T any] struct {
	kind[T]
	options Options
	named   map[string]bool // ids in the document
	// released are the records, not in the document, that lose their identity
	// to one that is, as they will be.
	released map[string]*T

	faults               []error // declaration.Errors
	declares, withdraws  []write
	declared, withdrawal []Change
	unchanged            int
	kept                 []string
}

// write is one change of the store.
type write func(ctx context.Context) error

// newPlan plans for the records of a document. An error is one of the store; what
// is wrong with the document is in faults.
func newPlan[T any](ctx context.Context, k kind[T], o Options, records []T) (*plan[T], error) {
	p := &plan[T]{kind: k, options: o, named: make(map[string]bool, len(records)), released: map[string]*T{}}
	for i := range records {
		p.named[*p.state(&records[i]).id] = true
	}
	for i := range records {
		if err := p.declare(ctx, i, records[i]); err != nil {
			return nil, fmt.Errorf("%s %s: %w", p.name, *p.state(&records[i]).id, err)
		}
	}
	for record, err := range p.list(ctx) {
		if err != nil {
			return nil, err
		}
		p.unnamed(record)
	}
	return p, nil
}

// declare plans for the record at an index of the document.
func (p *plan[T]) declare(ctx context.Context, i int, record T) error {
	id := *p.state(&record).id
	before, err := p.get(ctx, id)
	exists := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if exists {
		if reason := p.untouchable(&before); reason != "" {
			p.refuse(p.conflict(i, "id", "%q %s", id, reason))
			return nil
		}
	}
	after, err := p.wanted(before, record)
	if err != nil {
		return err
	}
	if exists && reflect.DeepEqual(before, after) {
		p.unchanged++
		return nil
	}
	if err := p.planReleases(ctx, i, record); err != nil {
		return err
	}
	p.declares = append(p.declares, p.writeDeclared(i, exists, record))
	if !exists {
		p.declared = append(p.declared, p.change(Create, nil, &after))
		return nil
	}
	p.declared = append(p.declared, p.change(p.actionOf(&before), &before, &after))
	return nil
}

// untouchable says why an existing record cannot be the declared one.
func (p *plan[T]) untouchable(record *T) string {
	switch s := p.state(record); {
	case !*s.declared:
		return fmt.Sprintf("belongs to a %s made through the admin API: declare another id", p.name)
	case s.ended() && p.name == User:
		return "belongs to a user that was deleted, which is final: declare another id"
	}
	return ""
}

// wanted returns what a declaration makes of a record; of the zero record a new
// one. UpdatedAt stays, so that the two can be compared.
func (p *plan[T]) wanted(current, record T) (T, error) {
	after := p.merge(&current, &record)
	was, is := p.state(&current), p.state(&after)
	*is.declared, *is.withdrawn = true, false
	*is.applied = p.options.Source == Applied && (!*was.declared || *was.applied || *was.withdrawn)
	*is.createdAt, *is.updatedAt = *was.createdAt, *was.updatedAt
	if !*was.declared {
		*is.createdAt, *is.updatedAt = p.options.Now, p.options.Now
	}
	return p.normal(after)
}

func (p *plan[T]) actionOf(before *T) Action {
	if s := p.state(before); *s.withdrawn && !s.ended() {
		return Restore
	}
	return Update
}

// unnamed plans for a declared record that may be missing in the document.
func (p *plan[T]) unnamed(record T) {
	s := p.state(&record)
	if p.named[*s.id] {
		return
	}
	after := record
	released := p.released[*s.id]
	if released != nil {
		after = *released
	}
	switch {
	case p.goes(s):
		*p.state(&after).withdrawn = true
		p.withdraws = append(p.withdraws, p.writeWithdrawn(*s.id))
		p.withdrawal = append(p.withdrawal, p.change(Withdraw, &record, &after))
	case released != nil:
		p.declared = append(p.declared, p.change(Update, &record, &after))
	case p.stays(s):
		p.kept = append(p.kept, *s.id)
	}
}

// goes tells whether a record that the document does not name is withdrawn: it
// is in force and from the document's source.
func (p *plan[T]) goes(s state) bool {
	return *s.declared && !*s.withdrawn && *s.applied == (p.options.Source == Applied)
}

// stays tells whether a record that the document does not name is the
// configuration's, which an applied document cannot take out of force.
func (p *plan[T]) stays(s state) bool {
	return p.options.Source == Applied && !*s.applied && !*s.withdrawn
}

func (p *plan[T]) change(action Action, before, after *T) Change {
	s := p.state(after)
	return Change{Kind: p.name, ID: *s.id, Name: *s.name, Action: action, Fields: p.changes(before, after)}
}

func (p *plan[T]) refuse(fault error) { p.faults = append(p.faults, fault) }

// conflict says why the record at an index of the document cannot be as it is.
func (p *plan[T]) conflict(i int, field, format string, args ...any) error {
	return &declaration.Error{
		Path: []string{p.section, strconv.Itoa(i), field}, Rule: fmt.Sprintf(format, args...), Conflict: true,
	}
}
