package apikeyauthextension

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/admin"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// records are what the admin API works on: the keys, written through the cache,
// and their backups, which end with the lifetime of the server.
type records struct {
	keys   store.Store
	backup func(context.Context, io.Writer) error
	// backupRecords says about how many records a backup has.
	backupRecords func(context.Context) (uint64, error)
	lifetime      context.Context // set by startAdmin
}

// shutdownGrace is how long a call of the admin API may hold up the collector's
// shutdown, which has no limit of its own.
const shutdownGrace = 5 * time.Second

// adminServer serves the admin API until shutdown.
type adminServer struct {
	server *http.Server
	grace  time.Duration
	done   sync.WaitGroup
}

func (e *gateExtension) startAdmin(ctx context.Context, host component.Host, r records) (*adminServer, error) {
	var end context.CancelFunc
	r.lifetime, end = context.WithCancel(context.WithoutCancel(ctx))
	a, err := e.serveAdmin(ctx, host, r)
	if err != nil {
		end()
		return nil, err
	}
	a.server.RegisterOnShutdown(end)
	return a, nil
}

func (e *gateExtension) serveAdmin(ctx context.Context, host component.Host, r records) (*adminServer, error) {
	handler, err := e.adminHandler(r) //nolint:contextcheck // it reads its own document, which takes no context
	if err != nil {
		return nil, err
	}
	config := &e.config.Admin
	server, err := config.ToServer(ctx, host.GetExtensions(), e.settings.TelemetrySettings, handler)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	listener, err := config.ToListener(ctx)
	if err != nil {
		return nil, fmt.Errorf("admin::endpoint: listen on %q: %w", config.NetAddr.Endpoint, err)
	}
	e.settings.Logger.Info("serving the admin API", zap.String("endpoint", listener.Addr().String()))
	a := &adminServer{server: server, grace: shutdownGrace}
	a.done.Go(func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(fmt.Errorf("serve admin API: %w", err)))
		}
	})
	return a, nil
}

func (e *gateExtension) adminHandler(r records) (http.Handler, error) {
	g, err := e.adminGate()
	if err != nil {
		return nil, err
	}
	o := admin.Options{
		Store: r.keys, Catalog: e.catalog.Catalog, Backup: r.backup, BackupRecords: r.backupRecords, Lifetime: r.lifetime,
		Format:   e.config.format(),
		Door:     adminDoor{g},
		Ready:    e.ready,
		Plans:    e.plans,
		LastUses: e.uses.latest.LastUses,
		Record:   e.recordCall,
		Usage:    e.books, AccessLog: e.books, Alerts: e.alerts,
		State: func(ctx context.Context, keyID string, p *limit.Policy) (limit.State, error) {
			return e.limits.counter.State(ctx, e.limits.clock(), keyID, p)
		},
		Logger: e.settings.Logger, Version: e.settings.BuildInfo.Version,
	}
	if ui := &e.config.Admin.UI; ui.Enabled {
		o.Sessions = admin.SessionOptions{Idle: ui.SessionIdle, Absolute: ui.SessionMax}
		o.Visitors = &visitors{
			gate: g, users: e.store, plans: e.plans, attribute: ui.UserAttribute,
			counter: observedCounter{e.limits.counter, e.telemetry}, clock: e.limits.clock,
		}
	}
	return admin.New(o)
}

// ready reports whether keys can be resolved.
func (e *gateExtension) ready(ctx context.Context) error {
	_, err := e.store.User(ctx, store.BuiltinUserID)
	return err
}

// adminGate returns the gate of the admin API. Where the endpoint has an
// `auth:` of the collector's, the Authorization header is that one's and keys
// come in the other headers.
func (e *gateExtension) adminGate() (*gate.Gate, error) {
	if !e.config.Admin.Auth.HasValue() {
		return e.gate, nil
	}
	names := slices.DeleteFunc(slices.Clone(e.credentialHeaders), func(name string) bool { return name == "authorization" })
	if len(names) == 0 {
		return nil, errors.New("admin::auth: the authorization header is taken by it: name another header, such as x-api-key, in credentials::headers")
	}
	headers, err := credential.NewHeaders(names)
	if err != nil {
		return nil, fmt.Errorf("credentials::headers: %w", err)
	}
	return e.newGate(headers), nil
}

// shutdown lets running calls end, and cuts off those that take too long.
func (a *adminServer) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.grace)
	defer cancel()
	err := a.server.Shutdown(ctx)
	if ctx.Err() != nil {
		err = a.server.Close()
	}
	a.done.Wait()
	if err != nil {
		return fmt.Errorf("shut down admin API: %w", err)
	}
	return nil
}
