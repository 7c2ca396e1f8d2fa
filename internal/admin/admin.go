package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/catalog"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// Door judges keys, as the doors of the receivers do. Implementations MUST be
// safe for concurrent use.
type Door interface {
	// Authenticate judges the key of a request. Its errors are
	// *identity.Refusal; any other is answered as a defect.
	Authenticate(r *http.Request) (*identity.Admission, error)
	// Credential returns the key of a request, the zero Secret where there is
	// none in good form.
	Credential(r *http.Request) credential.Secret
	// Judge says what a key stands for now, wherever it is used from. Exactly
	// one of its results is set.
	Judge(ctx context.Context, key string) (*identity.Identity, *identity.Refusal)
	// ClientAddr tells where a request comes from; invalid where unknown.
	ClientAddr(r *http.Request) netip.Addr
}

// Options configure New.
type Options struct {
	// Store keeps the keys. A write MUST have taken effect for every later
	// request, caches included, when it returns. Required.
	Store store.Store
	// Catalog lists the keys of Store. Nil means one that knows nothing of uses
	// which Store has not been told of.
	Catalog *catalog.Catalog
	// Door judges the keys of callers. Required.
	Door Door
	// Visitors knows the people who use the pages. Nil means that there are none.
	Visitors Visitors
	// Sessions say how long they stay signed in.
	Sessions SessionOptions
	// Format makes new secrets.
	Format credential.Format
	// Plans are what keys can be on. Required.
	Plans *limit.Plans
	// State tells what a key has spent of the limits that apply to it. A nil
	// policy limits nothing. Nil means that nobody knows.
	State func(ctx context.Context, keyID string, p *limit.Policy) (limit.State, error)
	// LastUses tells when the secrets of a key were last used. Nil means what
	// the store knows.
	LastUses func(ctx context.Context, keyID string) ([]store.Use, error)
	// Record is told what became of each call that needs a key, without its time.
	// Nil means that nobody keeps account.
	Record func(*access.Request)
	// Usage, AccessLog and Alerts tell what is known of requests. Nil means that
	// nobody knows.
	Usage     Usage
	AccessLog AccessLog
	Alerts    Alerts
	// Ready is asked by /readyz; an error means not ready. Nil means always.
	Ready func(context.Context) error
	// Backup writes all records, as of one moment, in a format that shows
	// whether it is whole. It MUST return an error unless it wrote all, and end
	// soon after its context does. Nil means that there are no backups here.
	Backup func(context.Context, io.Writer) error
	// BackupRecords says about how many records a backup has. Nil means that
	// nobody knows.
	BackupRecords func(context.Context) (uint64, error)
	// Lifetime ends when the server is to stop: backups are broken off then,
	// lest a slow client holds it up. Nil means never.
	Lifetime context.Context
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
	// Logger receives defects and failures of the store; nil discards them.
	Logger *zap.Logger
	// Version is shown in the served OpenAPI document; empty leaves the
	// document's own.
	Version string
}

// service holds what the handlers need. Safe for concurrent use.
type service struct {
	store         store.Store
	catalog       *catalog.Catalog
	door          Door
	format        credential.Format
	plans         *limit.Plans
	state         func(context.Context, string, *limit.Policy) (limit.State, error) // nil where nobody knows
	lastUses      func(context.Context, string) ([]store.Use, error)
	recordCall    func(*access.Request) // nil where nobody keeps account
	usage         Usage                 // nil where nobody knows
	accessLog     AccessLog             // likewise
	alerts        Alerts                // likewise
	ready         func(context.Context) error
	backup        func(context.Context, io.Writer) error // nil where there is none
	backupRecords func(context.Context) (uint64, error)  // likewise
	lifetime      context.Context
	clock         func() time.Time
	log           *zap.Logger
	spec          *spec
	secrets       credential.Redactor
	refusals      *refusalLog
	applying      sync.Mutex // lest two documents are mixed
}

var _ api.StrictServerInterface = (*service)(nil)

// New returns the handler of the whole admin server, probes included. It is
// safe for concurrent use and starts nothing that would have to be stopped.
func New(o Options) (http.Handler, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	document, err := loadSpec(o.Version)
	if err != nil {
		return nil, err
	}
	s := &service{
		store: o.Store, catalog: o.Catalog, door: o.Door, format: o.Format,
		plans: o.Plans, state: o.State, lastUses: o.LastUses, ready: o.Ready,
		recordCall: o.Record, usage: o.Usage, accessLog: o.AccessLog, alerts: o.Alerts,
		backup: o.Backup, backupRecords: o.BackupRecords, lifetime: o.Lifetime,
		clock: o.Clock, log: o.Logger, spec: document,
		secrets: o.Format.Redactor(), refusals: newRefusalLog(),
	}
	s.fillDefaults()
	return s.handler(&o), nil
}

func (o Options) validate() error {
	switch {
	case o.Store == nil:
		return errors.New("make admin API: Store is required")
	case o.Door == nil:
		return errors.New("make admin API: Door is required")
	case o.Plans == nil:
		return errors.New("make admin API: Plans is required")
	}
	if err := o.Format.Validate(); err != nil {
		return fmt.Errorf("make admin API: %w", err)
	}
	return nil
}

func (s *service) fillDefaults() {
	if s.catalog == nil {
		s.catalog = catalog.New(catalog.Options{Source: s.store})
	}
	if s.lastUses == nil {
		s.lastUses = s.store.LastUses
	}
	if s.ready == nil {
		s.ready = func(context.Context) error { return nil }
	}
	if s.lifetime == nil {
		s.lifetime = context.Background()
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = zap.NewNop()
	}
}

// now is the time as records hold it: UTC, to the microsecond, which is what
// every backend can keep.
func (s *service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
