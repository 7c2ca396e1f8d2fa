package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// untilInterrupted ends the context at ^C, so that a long work can clear up. A
// second one ends gatectl.
func untilInterrupted(ctx context.Context) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// transfer passes on what is read of it, and knows which side failed.
type transfer struct {
	in                io.Reader
	out               io.Writer // nil where reading is all
	show              *progress
	bytes             int64
	records           uint64
	readErr, writeErr error
}

// Read implements io.Reader.
func (t *transfer) Read(b []byte) (int, error) {
	n, err := t.in.Read(b)
	t.bytes += int64(n)
	t.show.setBytes(t.bytes)
	if err != nil && !errors.Is(err, io.EOF) {
		t.readErr = err
	}
	if n > 0 && t.out != nil {
		if _, t.writeErr = t.out.Write(b[:n]); t.writeErr != nil {
			return n, t.writeErr
		}
	}
	return n, err
}

func (t *transfer) setRecords(n uint64) {
	t.records = n
	t.show.setRecords(n)
}

func (t *transfer) summary() string {
	return fmt.Sprintf("%s (%s)", plural(int64(t.records), "record"), sizeText(t.bytes))
}

// sizeText is a number of bytes for people.
func sizeText(n int64) string {
	const step = 1000
	if n < step {
		return plural(n, "byte")
	}
	size, unit := float64(n)/step, "kB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if size < step {
			break
		}
		size, unit = size/step, next
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

// errStalled is why a watchdog ended a transfer.
var errStalled = errors.New("nothing came for too long")

// watchdog ends a context where nothing happens for a time, however long the
// whole takes.
type watchdog struct {
	timer *time.Timer
	limit time.Duration
	end   context.CancelCauseFunc
}

func watch(ctx context.Context, limit time.Duration) (context.Context, *watchdog) {
	ctx, end := context.WithCancelCause(ctx)
	return ctx, &watchdog{time.AfterFunc(limit, func() { end(errStalled) }), limit, end}
}

func (w *watchdog) stop() {
	w.timer.Stop()
	w.end(nil)
}

// reader returns r, each read of which shows that something happens.
func (w *watchdog) reader(r io.Reader) io.Reader { return watchedReader{r, w} }

type watchedReader struct {
	io.Reader
	watchdog *watchdog
}

// Read implements io.Reader.
func (r watchedReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.watchdog.timer.Reset(r.watchdog.limit)
	return n, err
}
