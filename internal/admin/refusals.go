package admin

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// attempts are the calls of which a refusal is recorded, by their pattern: all
// that change something, and those that look into what is not the caller's.
var attempts = map[string]string{
	"GET " + api.BasePath + "/api-keys":                  audit.KeyRead,
	"POST " + api.BasePath + "/api-keys":                 audit.KeyCreate,
	"GET " + api.BasePath + "/api-keys/{id}":             audit.KeyRead,
	"PATCH " + api.BasePath + "/api-keys/{id}":           audit.KeyUpdate,
	"DELETE " + api.BasePath + "/api-keys/{id}":          audit.KeyRevoke,
	"POST " + api.BasePath + "/api-keys/{id}/rotate":     audit.KeyRotate,
	"GET " + api.BasePath + "/users":                     audit.UserRead,
	"POST " + api.BasePath + "/users":                    audit.UserCreate,
	"GET " + api.BasePath + "/users/{id}":                audit.UserRead,
	"PATCH " + api.BasePath + "/users/{id}":              audit.UserUpdate,
	"DELETE " + api.BasePath + "/users/{id}":             audit.UserDelete,
	"GET " + api.BasePath + "/audit-log":                 audit.AuditRead,
	"GET " + api.BasePath + "/api-keys/{id}/usage":       audit.KeyRead,
	"GET " + api.BasePath + "/api-keys/{id}/access-logs": audit.KeyRead,
	"GET " + api.BasePath + "/access-logs":               audit.AccessRead,
	"GET " + api.BasePath + "/usage":                     audit.AccessRead,
	"GET " + api.BasePath + "/usage/top":                 audit.AccessRead,
	"GET " + api.BasePath + "/alerts":                    audit.AccessRead,
	"POST " + api.BasePath + "/introspect":               audit.KeyIntrospect,
	"POST " + api.BasePath + "/apply":                    audit.DeclarationApply,
	"GET " + api.BasePath + "/backup":                    audit.BackupCreate,
	"POST /sign-in":                                      audit.SessionBegin,
}

// forRights reports whether a caller was refused for want of rights, and not
// for what it asked for.
func (p *problem) forRights() bool {
	return p.status == http.StatusUnauthorized || p.status == http.StatusForbidden || p.hidden || p.code == codeScopesExceedRole
}

// The bounds of what refusals write, for each key and for all callers without
// one together. Each record is a synced write and stays for ever, and whoever has
// no key at all can cause some.
const (
	anonymousEvery, anonymousBurst = time.Minute, 60
	knownEvery, knownBurst         = time.Second, 60
	// maxKnown is how many keys are told apart; beyond, all start anew.
	maxKnown = 10_000
)

// refusalLog bounds the records of refusals. The zero value is not usable; make
// it with newRefusalLog.
type refusalLog struct {
	mu      sync.Mutex
	callers map[string]*offender // by key id; empty: callers without a key
}

// offender is a caller that was refused.
type offender struct {
	limiter    *rate.Limiter
	suppressed int // since the last record
}

func newRefusalLog() *refusalLog { return &refusalLog{callers: map[string]*offender{}} }

// take reports whether a refusal may be recorded, and how many of the caller's
// before it were not.
func (l *refusalLog) take(now time.Time, keyID string) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(keyID)
	if !c.limiter.AllowN(now, 1) {
		c.suppressed++
		return 0, false
	}
	suppressed, c.suppressed = c.suppressed, 0
	return suppressed, true
}

// lost counts refusals whose record could not be written.
func (l *refusalLog) lost(keyID string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(keyID).suppressed += n
}

// of returns a caller's refusals. The lock must be held.
func (l *refusalLog) of(keyID string) *offender {
	if c, ok := l.callers[keyID]; ok {
		return c
	}
	if len(l.callers) >= maxKnown {
		maps.DeleteFunc(l.callers, func(id string, _ *offender) bool { return id != "" })
	}
	c := &offender{limiter: rate.NewLimiter(rate.Every(knownEvery), knownBurst)}
	if keyID == "" {
		c.limiter = rate.NewLimiter(rate.Every(anonymousEvery), anonymousBurst)
	}
	l.callers[keyID] = c
	return c
}

// auditTimeout bounds the write of a record that nobody waits for but the one
// who was refused.
const auditTimeout = 5 * time.Second

// auditRefusal records that a caller may not do what it tried. The answer does
// not depend on it.
func (s *service) auditRefusal(r *http.Request, p *problem) {
	action, ok := attempts[r.Pattern]
	if !ok || !p.forRights() {
		return
	}
	c, known := r.Context().Value(callerKey{}).(caller)
	if !known {
		c.address = s.door.ClientAddr(r)
	}
	now := s.now()
	by := cmp.Or(c.actor().KeyID, c.actor().UserID)
	suppressed, ok := s.refusals.take(now, by)
	if !ok {
		return
	}
	record := store.Audit{
		Time: now, Actor: c.actor(), Action: action, Target: s.targetOf(r),
		Outcome: store.Refused, Reason: string(p.code),
	}
	if suppressed > 0 {
		record.Changes = map[string]store.Change{"suppressed": {To: suppressed}}
	}
	ctx, cancel := context.WithTimeout(store.Unguarded(context.WithoutCancel(r.Context())), auditTimeout)
	defer cancel()
	if _, err := s.store.AppendAudit(ctx, record); err != nil {
		s.refusals.lost(by, suppressed+1)
		s.log.Error("admin API: a refusal is missing in the audit log", zap.String("action", action),
			zap.String("code", string(p.code)), zap.String("cause", s.redact(err.Error())))
	}
}

// maxTarget is the longest target in bytes that a record can have.
const maxTarget = 255

// targetOf returns the id in the path, made fit to be kept: it may be anything,
// a key included.
func (s *service) targetOf(r *http.Request) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(s.redact(r.PathValue("id")), "?"), "\x00", "?")
	return strings.ToValidUTF8(text[:min(len(text), maxTarget)], "") // a character that was cut goes
}
