package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/store"
)

const (
	backupType = "application/octet-stream"
	// backupName is a layout of time.Format, for file names of every system.
	backupName = "otlpgate-20060102T150405Z.backup"
	// stalledAfter is how long a client may take nothing of a backup. The write
	// timeout of the server is for whole answers and would cut a large one.
	stalledAfter = 30 * time.Second
)

// serveBackup answers with a backup. One that fails on the way breaks the
// connection, for what is a part must not look like the whole.
func (s *service) serveBackup(w http.ResponseWriter, r *http.Request) {
	if err := s.mayServeBackup(callerIn(r.Context())); err != nil {
		s.writeProblem(w, r, err)
		return
	}
	t := &transfer{writer: w, control: http.NewResponseController(w), name: s.now().Format(backupName)}
	if r.Method == http.MethodHead {
		t.start()
		return
	}
	s.recordBackup(r.Context())
	s.announceBackup(w.Header(), r)
	err := s.runBackup(r.Context(), t)
	switch {
	case err == nil:
	case !t.started:
		s.writeProblem(w, r, problemBackup(err))
	default:
		s.breakOff(r, t, err)
	}
}

// recordBackup writes the audit record before the backup begins: whoever breaks
// off may have what it came for, and the backup tells of itself. A store that
// can be read and not written is backed up all the same: then it is wanted most.
func (s *service) recordBackup(ctx context.Context) {
	record := store.Audit{Time: s.now(), Actor: callerIn(ctx).actor(), Action: audit.BackupCreate}
	if _, err := s.store.AppendAudit(ctx, record); err != nil && ctx.Err() == nil {
		s.log.Error("admin API: a backup is missing in the audit log", zap.String("key", record.Actor.KeyID), zap.String("cause", s.redact(err.Error())))
	}
}

// announceBackup tells how many records are to come, where that is known.
func (s *service) announceBackup(h http.Header, r *http.Request) {
	if s.backupRecords == nil {
		return
	}
	records, err := s.backupRecords(r.Context())
	if err != nil {
		return // the backup itself will say why
	}
	h.Set("X-Backup-Records", strconv.FormatUint(records, 10))
}

// errPanicked stands for a panic that was logged.
var errPanicked = errors.New("panicked")

// runBackup writes a backup until the client or the server has had enough. It
// turns a panic into an error: recovering would put its answer behind what was
// sent already.
func (s *service) runBackup(ctx context.Context, t *transfer) (err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	forget := context.AfterFunc(s.lifetime, end) //nolint:contextcheck // the server's end is another's than the request's
	defer forget()
	release := context.AfterFunc(ctx, t.interrupt)
	defer release()
	t.ctx = ctx
	defer func() {
		if cause := recover(); cause != nil {
			s.logPanic(cause)
			err = errPanicked
		}
	}()
	return s.backup(ctx, t)
}

func (s *service) mayServeBackup(c caller) error {
	if err := mayAdminister(c, "make a backup"); err != nil {
		return err
	}
	if s.backup == nil {
		return newProblem(codeNoBackup, "the keys are kept where this API cannot back them up: back up the database with its own tools, such as pg_dump")
	}
	return nil
}

func problemBackup(cause error) error {
	p := newProblem(codeStoreUnavailable, "the store of the keys could not be backed up: retry later; the collector's log says why")
	p.retryAfter, p.cause = retryAfterUnavailable, cause
	return p
}

// breakOff ends the connection in a way that no client takes for the end of
// the answer. A client that left is no news.
func (s *service) breakOff(r *http.Request, t *transfer, cause error) {
	if r.Context().Err() == nil {
		s.log.Error("admin API: backup broken off", zap.Int64("bytes", t.bytes), zap.String("cause", s.redact(cause.Error())))
	}
	panic(http.ErrAbortHandler)
}

// transfer is the body of a backup's answer, whose head it writes with the
// first byte. Each write has a deadline of its own.
type transfer struct {
	ctx     context.Context // ends with the request and the server
	writer  http.ResponseWriter
	control *http.ResponseController
	name    string
	started bool
	bytes   int64
}

func (t *transfer) start() {
	t.started = true
	h := t.writer.Header()
	h.Set("Content-Type", backupType)
	h.Set("Content-Disposition", `attachment; filename="`+t.name+`"`)
}

// Write implements io.Writer. It looks at the context only once the deadline is
// set: either it sees the end, or interrupt comes later and so overrules it.
func (t *transfer) Write(b []byte) (int, error) {
	if err := t.setDeadline(time.Now().Add(stalledAfter)); err != nil {
		return 0, err
	}
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	if !t.started {
		t.start()
	}
	n, err := t.writer.Write(b)
	t.bytes += int64(n)
	return n, err
}

// interrupt ends a write that waits for the client.
func (t *transfer) interrupt() { _ = t.setDeadline(time.Now()) }

// setDeadline leaves writers without deadlines alone: those of tests.
func (t *transfer) setDeadline(at time.Time) error {
	if err := t.control.SetWriteDeadline(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
