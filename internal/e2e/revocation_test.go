package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// count returns the number in the environment variable, or the one given.
func count(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return n
}

// target is the key that all hammer.
type target struct {
	key
	// revoking is set before the call that revokes the key, and revoked after
	// it has returned: a request that starts while revoked must be refused, and
	// one that ends while not revoking must have passed.
	revoking, revoked atomic.Bool
	passed, refused   [2]atomic.Int64 // by transport
}

// try sends a request and reports whether it passed.
type try func(ctx context.Context, secret string) (bool, error)

func (c *collector) tryGRPC(t *testing.T) try {
	t.Helper()
	conn, err := grpc.NewClient(c.grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{})))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	body := marshalProto(t, traces.request())
	return func(ctx context.Context, secret string) (bool, error) {
		var resp []byte
		err := conn.Invoke(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+secret), traces.method, body, &resp)
		switch status.Code(err) {
		case codes.OK:
			return true, nil
		case codes.Unauthenticated:
			return false, nil
		}
		return false, err
	}
}

func (c *collector) tryHTTP(t *testing.T) try {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	body, url := marshalProto(t, traces.request()), "http://"+c.httpAddress+traces.path
	return func(ctx context.Context, secret string) (bool, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return false, err
		}
		r.Header.Set("Content-Type", protobufType)
		r.Header.Set("Authorization", "Bearer "+secret)
		resp, err := transport.RoundTrip(r)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		switch resp.StatusCode {
		case http.StatusOK:
			return true, err
		case http.StatusUnauthorized:
			return false, err
		}
		return false, fmt.Errorf("%s", resp.Status)
	}
}

// hammer sends with the keys of the moment in turn, until the context ends, and
// returns the first answer that is wrong.
func hammer(ctx context.Context, current []atomic.Pointer[target], transport int, send try) error {
	for turn := 0; ctx.Err() == nil; turn++ {
		k := current[turn%len(current)].Load()
		startedRevoked := k.revoked.Load()
		passed, err := send(ctx, k.secret)
		if err = k.judge(transport, startedRevoked, passed, err); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// judge counts an answer, or says what is wrong with it.
func (k *target) judge(transport int, startedRevoked, passed bool, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("key %s: %w", k.id, err)
	case passed && startedRevoked:
		return fmt.Errorf("key %s passed after its revocation had returned", k.id)
	case !passed && !k.revoking.Load():
		return fmt.Errorf("key %s was refused before its revocation", k.id)
	case passed:
		k.passed[transport].Add(1)
	case startedRevoked:
		k.refused[transport].Add(1)
	}
	return nil
}

func TestARevokedKeyIsRefusedFromTheMomentThatTheCallReturns(t *testing.T) {
	const hammers, administrators = 64, 8
	revocations := count(t, "OTLPGATE_REVOCATIONS", 1000)
	c := start(t, options{overlay: "service: {pipelines: {traces: {exporters: [nop]}}}"})
	current := make([]atomic.Pointer[target], administrators)
	for i := range current {
		current[i].Store(&target{key: c.create(t)})
	}
	ctx, cancel := context.WithCancel(t.Context())
	wrong := make(chan error, hammers+administrators)
	var hammering, revoking sync.WaitGroup
	for i := range hammers {
		transport, send := i%2, c.tryGRPC(t)
		if transport == 1 {
			send = c.tryHTTP(t)
		}
		hammering.Go(func() { wrong <- hammer(ctx, current, transport, send) })
	}
	began := time.Now()
	var requests atomic.Int64
	for i := range current {
		revoking.Go(func() {
			for range revocations / administrators {
				k, err := c.revokeUnderFire(ctx, &current[i])
				if err != nil {
					wrong <- err
					return
				}
				requests.Add(k.requests())
			}
		})
	}
	go func() { revoking.Wait(); cancel() }()
	for range hammers {
		if err := <-wrong; err != nil {
			cancel()
			t.Error(err)
			break
		}
	}
	revoking.Wait()
	hammering.Wait()
	t.Logf("%d revocations under %d requests of %d goroutines in %s", revocations, requests.Load(), hammers, time.Since(began).Round(time.Millisecond))
}

// revokeUnderFire makes a key, has it hammered, revokes it and waits until it is
// known to be refused.
func (c *collector) revokeUnderFire(ctx context.Context, current *atomic.Pointer[target]) (*target, error) {
	made, err := c.tryCreate(ctx)
	if err != nil {
		return nil, err
	}
	k := &target{key: made}
	current.Store(k)
	if err := await(ctx, &k.passed); err != nil {
		return nil, err
	}
	k.revoking.Store(true)
	if err := c.tryRevoke(ctx, k.id); err != nil {
		return nil, err
	}
	k.revoked.Store(true)
	return k, await(ctx, &k.refused)
}

// await waits until there were some answers over each transport.
func await(ctx context.Context, answers *[2]atomic.Int64) error {
	const some = 4
	for deadline := time.Now().Add(patience); answers[0].Load() < some || answers[1].Load() < some; time.Sleep(100 * time.Microsecond) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return errors.New("no progress")
		}
	}
	return nil
}

func (k *target) requests() (n int64) {
	for i := range k.passed {
		n += k.passed[i].Load() + k.refused[i].Load()
	}
	return n
}
