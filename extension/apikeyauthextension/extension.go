package apikeyauthextension

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/extension/apikeyauthextension/internal/metadata"
	"github.com/otlpgate/otlpgate/internal/alert"
	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/geo"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/insight"
	"github.com/otlpgate/otlpgate/internal/keyring"
	"github.com/otlpgate/otlpgate/internal/kv/badgerkv"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/provision"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
	"github.com/otlpgate/otlpgate/internal/throttle"
)

// gateExtension wires the gate to the collector: it owns the store, the keyring
// and the admin server, and is the doors of the receivers that name it.
type gateExtension struct {
	config            *Config
	settings          extension.Settings
	telemetry         *telemetry
	headers           credential.Headers
	credentialHeaders []string // lower case
	clients           *clientip.Resolver
	guarded           guardedServers
	plans             *limit.Plans
	overLimitCode     codes.Code   // of answers over HTTP; zero: that of the reason
	wrapped           atomic.Int32 // HTTP servers that have the middleware
	processors        atomic.Int32
	intercepts        atomic.Bool // some gRPC server has the interceptors
	courtesy          courtesy
	now               func() time.Time                                              // time.Now but in tests
	openInsight       func(context.Context, badgerkv.Options) (insightStore, error) // openBadger but in tests
	unrecorded        unrecorded

	// Set by Start, before any door opens.
	store     store.Store
	keyring   *keyring.Keyring
	throttle  *throttle.Throttle
	limits    *limits
	catalog   *keyCatalog
	uses      *uses
	countries *geo.Database // nil: not known
	books     *insight.Books
	alerts    *alert.Runner
	gate      *gate.Gate
	admin     *adminServer

	shutdown sync.Once
}

var (
	_ extension.Extension            = (*gateExtension)(nil)
	_ extensionauth.Server           = (*gateExtension)(nil)
	_ extensionmiddleware.HTTPServer = (*gateExtension)(nil)
	_ extensionmiddleware.GRPCServer = (*gateExtension)(nil)
)

func newExtension(set extension.Settings, cfg *Config) (*gateExtension, error) {
	headers, err := credential.NewHeaders(cfg.Credentials.Headers)
	if err != nil {
		return nil, fmt.Errorf("credentials::headers: %w", err)
	}
	proxies, err := clientip.ParsePrefixes(cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("trusted_proxies: %w", err)
	}
	plans, err := cfg.plans()
	if err != nil {
		return nil, err
	}
	builder, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("create metrics: %w", err)
	}
	e := &gateExtension{
		config: cfg, settings: set, telemetry: newTelemetry(builder, set.Logger),
		headers: headers, credentialHeaders: headers.Names(), clients: clientip.NewResolver(proxies), plans: plans,
		now: time.Now, openInsight: openBadger,
	}
	e.telemetry.perKey = cfg.Usage.MetricsPerKey
	if cfg.Limits.OverLimitStatus == http.StatusServiceUnavailable {
		e.overLimitCode = codes.Unavailable
	}
	return e, nil
}

// Start opens the store, brings it to its configured state and serves the
// admin API. What it opened is closed again where it returns an error.
func (e *gateExtension) Start(ctx context.Context, host component.Host) error {
	err := e.start(ctx, host)
	if err != nil {
		err = errors.Join(err, e.Shutdown(ctx))
	}
	return err
}

func (e *gateExtension) start(ctx context.Context, host component.Host) error {
	backend, err := badgerstore.Open(ctx, badgerstore.Options{Directory: e.config.Storage.Directory, Logger: e.settings.Logger})
	if err != nil {
		return fmt.Errorf("storage::directory: %w", err)
	}
	e.store = backend
	e.keyring, err = keyring.New(keyring.Options{
		Source: backend, MaxKeys: e.config.Cache.MaxKeys, NegativeTTL: e.config.Cache.NegativeTTL,
		Plans: e.plans, Observer: e.telemetry, Now: e.now,
	})
	if err != nil {
		return err
	}
	e.throttle = throttle.New(throttle.Options{})
	e.limits = startLimits(ctx, backend, e.config.Limits.FlushInterval, e.settings.Logger, e.telemetry)
	e.catalog = e.newCatalog(backend)
	e.uses = startUses(ctx, e.catalog.Keeper(backend), e.config.Usage.FlushInterval, e.settings.Logger)
	if err := e.openCountries(); err != nil {
		return err
	}
	if err := e.startInsight(ctx, host); err != nil {
		return err
	}
	if err := e.telemetry.watch(e); err != nil {
		return fmt.Errorf("create metrics: %w", err)
	}
	e.gate = e.newGate(e.headers)
	if err := e.provision(ctx); err != nil {
		return err
	}
	e.catalog.warm(ctx, e.settings.Logger)
	e.admin, err = e.startAdmin(ctx, host, records{
		keys:   keyring.NewWriter(backend, e.keyring),
		backup: func(ctx context.Context, w io.Writer) error { return backend.Backup(ctx, w, nil) },

		backupRecords: backend.Records,
	})
	return err
}

func (e *gateExtension) newGate(headers credential.Headers) *gate.Gate {
	return gate.New(gate.Options{
		Format: e.config.format(), Headers: headers, Keyring: e.keyring, Clients: e.clients, Throttle: e.throttle,
		Counter: observedCounter{e.limits.counter, e.telemetry}, Clock: e.limits.clock,
		Uses: e.uses.latest, Now: e.now,
	})
}

func (e *gateExtension) provision(ctx context.Context) error {
	logger := e.settings.Logger
	outcome, err := provision.Bootstrap{
		Store: e.store, Format: e.config.format(), Directory: e.config.Storage.Directory,
		AdminKey: string(e.config.Bootstrap.AdminKey), Now: time.Now,
	}.Run(ctx)
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	if outcome.KeyFile != "" {
		logger.Info("wrote the administrator's key: keep it safe, then delete the file", zap.String("path", outcome.KeyFile))
	}
	if outcome.AdminKeyUnusable {
		logger.Warn("bootstrap::admin_key was revoked or has expired and opens nothing: configure a new one from `gatectl keys mint`")
	}
	if outcome.AdminKeyReplaced {
		logger.Warn("bootstrap::admin_key is a secret that was replaced by a rotation: configure the new one, or mint another with `gatectl keys mint`")
	}
	return e.reconcile(ctx)
}

// reconcile makes what the configuration declares be so.
func (e *gateExtension) reconcile(ctx context.Context) error {
	records, err := e.config.declared().Records(e.plans)
	if err != nil {
		return err
	}
	done, err := provision.Reconcile(ctx, e.store, records, provision.Options{Source: provision.Configuration, Now: time.Now()})
	if err != nil {
		return fmt.Errorf("reconcile declared users and keys: %w", err)
	}
	e.logReconciled(&done, provision.User, "reconciled declared users")
	e.logReconciled(&done, provision.Key, "reconciled declared keys")
	return nil
}

func (e *gateExtension) logReconciled(done *provision.Result, kind provision.Kind, message string) {
	created, updated := done.Count(kind, provision.Create), done.Count(kind, provision.Update)
	restored, withdrawn := done.Count(kind, provision.Restore), done.Count(kind, provision.Withdraw)
	if created+updated+restored+withdrawn == 0 {
		return
	}
	e.settings.Logger.Info(message, zap.Int("created", created), zap.Int("updated", updated),
		zap.Int("restored", restored), zap.Int("withdrawn", withdrawn))
}

// Shutdown closes what Start opened. It is idempotent and safe without Start.
func (e *gateExtension) Shutdown(ctx context.Context) error {
	var err error
	e.shutdown.Do(func() {
		if e.admin != nil {
			err = e.admin.shutdown(ctx)
		}
		if e.catalog != nil {
			e.catalog.shutdown()
		}
		if e.limits != nil {
			err = errors.Join(err, e.limits.shutdown(ctx))
		}
		if e.uses != nil {
			e.uses.shutdown(ctx)
		}
		err = errors.Join(err, e.shutdownInsight(ctx))
		if e.store != nil {
			err = errors.Join(err, e.store.Close())
		}
		if e.keyring != nil {
			e.keyring.Close()
		}
		e.telemetry.shutdown()
	})
	return err
}

// RegisterProcessor tells the extension that a processor checks scopes and
// projects behind it. Call it once, before receivers start.
func (e *gateExtension) RegisterProcessor() { e.processors.Add(1) }

// Issued reports whether this extension let the request in.
func (e *gateExtension) Issued(a *identity.Admission) bool { return a.IssuedBy(e.gate) }
