package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// fillStorage makes a storage directory with that many keys of some users.
func fillStorage(t testing.TB, keys int) (directory string) {
	t.Helper()
	directory = filepath.Join(t.TempDir(), "data")
	s, err := badgerstore.Open(t.Context(), badgerstore.Options{Directory: directory})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	began := time.Now().UTC().Truncate(time.Microsecond)
	owner := store.User{ID: "user_many", Name: "Owner of many", Role: identity.Member, Active: true, CreatedAt: began, UpdatedAt: began}
	_, err = s.CreateUser(t.Context(), owner, store.Audit{Time: began, Action: "user.create", Target: owner.ID})
	require.NoError(t, err)
	var next atomic.Int64
	for err := range slices.Values(flood(64, 64, func() error {
		for n := next.Add(1); n <= int64(keys); n = next.Add(1) {
			if err := storeKey(t.Context(), s, owner.ID, n, began); err != nil {
				return err
			}
		}
		return nil
	})) {
		require.NoError(t, err)
	}
	return directory
}

func storeKey(ctx context.Context, s store.Keys, owner string, n int64, at time.Time) error {
	digest := storetest.Digest(int(n))
	k := store.Key{
		ID: store.KeyIDFor(digest), Name: fmt.Sprintf("key %d", n), Description: "one of many", Type: identity.UserKey, Environment: identity.Live,
		OwnerID: owner, Scopes: []identity.Scope{identity.TracesWrite}, Projects: []string{"shop", "checkout"}, Plan: "pro",
		Secrets: []store.Secret{{Digest: digest, Hint: "px_live_abcd…wxyz", CreatedAt: at}}, CreatedAt: at, UpdatedAt: at,
	}
	_, err := s.CreateKey(ctx, k, store.Audit{Time: at, Action: "key.create", Target: k.ID, Changes: map[string]store.Change{"name": {To: k.Name}}})
	return err
}

// contents are all records of a storage directory that no collector uses.
type contents struct {
	keys  []store.Key
	users []store.User
	audit []store.Audit
}

func readStorage(t testing.TB, directory string) (all contents) {
	t.Helper()
	s, err := badgerstore.Open(t.Context(), badgerstore.Options{Directory: directory})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for key, err := range store.AllKeys(t.Context(), s, store.KeyFilter{}) {
		require.NoError(t, err)
		all.keys = append(all.keys, key)
	}
	for user, err := range store.AllUsers(t.Context(), s, store.UserFilter{}) {
		require.NoError(t, err)
		all.users = append(all.users, user)
	}
	all.audit = storetest.AllAudit(t, s)
	return all
}

// checkRestored compares a restored directory with the one that was backed up,
// which has gone on since: its audit log may be longer.
func checkRestored(t testing.TB, original, restored contents) {
	t.Helper()
	require.Len(t, restored.keys, len(original.keys))
	for i := range original.keys {
		require.Equal(t, original.keys[i], restored.keys[i])
	}
	require.Equal(t, original.users, restored.users)
	later := len(original.audit) - len(restored.audit)
	require.GreaterOrEqual(t, later, 0)
	for i := range restored.audit {
		require.Equal(t, original.audit[later+i], restored.audit[i])
	}
	assert.Equal(t, "backup.create", restored.audit[0].Action, "a backup tells of itself")
}

func (o operator) backUpAndRestore(t testing.TB) (directory string) {
	t.Helper()
	folder := t.TempDir()
	file, directory := filepath.Join(folder, "all.backup"), filepath.Join(folder, "restored")
	o.run(t, "backup", "--to", file)
	o.run(t, "restore", "--from", file, "--into", directory)
	return directory
}

func TestABackupThatIsMadeUnderLoadIsRestoredRecordByRecord(t *testing.T) {
	t.Parallel()
	directory := fillStorage(t, 3000)
	c := start(t, options{storage: directory, overlay: "service: {pipelines: {traces: {exporters: [nop]}}}"})
	k := c.create(t)
	l := startLatencies(t, c, k, 4)
	restored := newOperator(c.vault, t.TempDir(), "http://"+c.address).withKey(c.secret).backUpAndRestore(t)
	l.stop(t)
	c.stop(t)
	checkRestored(t, readStorage(t, directory), readStorage(t, restored))
}

// latencies are those of clients that send one request after the other.
type latencies struct {
	done    atomic.Bool
	sending sync.WaitGroup
	mu      sync.Mutex
	all     []latency
	err     error
}

type latency struct {
	sent time.Time
	took time.Duration
}

func startLatencies(t testing.TB, c *collector, k key, clients int) *latencies {
	t.Helper()
	l := &latencies{}
	body := marshalProto(t, spans(100, 10))
	ctx := metadata.NewOutgoingContext(context.WithoutCancel(t.Context()), metadata.New(k.bearer()))
	for range clients {
		conn := dialBare(t, c.grpcAddress)
		l.sending.Go(func() { l.send(ctx, conn, body) })
	}
	return l
}

func (l *latencies) send(ctx context.Context, conn *grpc.ClientConn, body []byte) {
	var own []latency
	for !l.done.Load() {
		var resp []byte
		sent := time.Now()
		err := conn.Invoke(ctx, traces.method, body, &resp)
		own = append(own, latency{sent, time.Since(sent)})
		if err != nil {
			l.mu.Lock()
			l.err = err
			l.mu.Unlock()
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, own...)
}

func (l *latencies) stop(t testing.TB) {
	t.Helper()
	l.done.Store(true)
	l.sending.Wait()
	require.NoError(t, l.err, "ingest while a backup is made")
}

// span is a time in which something else went on.
type span struct{ from, to time.Time }

// p99 returns the latency that one request of a hundred exceeds, of those that
// overlap with a span of the kind asked for.
func (l *latencies) p99(during bool, spans []span) time.Duration {
	var took []time.Duration
	for _, one := range l.all {
		overlaps := slices.ContainsFunc(spans, func(s span) bool { return one.sent.Before(s.to) && one.sent.Add(one.took).After(s.from) })
		if overlaps == during {
			took = append(took, one.took)
		}
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// BenchmarkBackupUnderLoad tells how much a backup of 100,000 keys makes senders
// wait: the 99th percentile of the latency of requests of 100 spans, while
// backups are made as part of while none is. They alternate, so that whatever
// else the machine does meets both. The copy is compared record by record.
func BenchmarkBackupUnderLoad(b *testing.B) {
	const keys, rounds, pause = 100_000, 6, 2 * time.Second
	directory := fillStorage(b, keys)
	c := start(b, options{storage: directory, overlay: "service: {pipelines: {traces: {exporters: [nop]}}}"})
	o := newOperator(c.vault, b.TempDir(), "http://"+c.address).withKey(c.secret)
	k := c.create(b)
	file := filepath.Join(b.TempDir(), "all.backup")
	var backups []span
	var l *latencies
	for b.Loop() {
		l, backups = startLatencies(b, c, k, 4), nil
		for range rounds {
			time.Sleep(pause)
			from := time.Now()
			o.run(b, "backup", "--force", "--to", file)
			backups = append(backups, span{from, time.Now()})
		}
		l.stop(b)
	}
	before, during, took := l.p99(false, backups), l.p99(true, backups), time.Duration(0)
	for _, s := range backups {
		took += s.to.Sub(s.from)
	}
	b.ReportMetric(0, "ns/op") // of a whole series of rounds
	b.ReportMetric(float64(before)/float64(time.Millisecond), "ms-p99/before")
	b.ReportMetric(float64(during)/float64(time.Millisecond), "ms-p99/during")
	b.ReportMetric(float64(during)/float64(before), "during/before")
	b.ReportMetric(took.Seconds()/float64(len(backups)), "s/backup")
	info, err := os.Stat(file)
	require.NoError(b, err)
	b.ReportMetric(float64(info.Size())/1e6, "MB")
	c.stop(b)
	restored := filepath.Join(b.TempDir(), "restored")
	o.run(b, "restore", "--from", file, "--into", restored)
	checkRestored(b, readStorage(b, directory), readStorage(b, restored))
}
