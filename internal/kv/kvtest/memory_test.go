package kvtest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	kvtest.Run(t, func(*testing.T) (kv.Store, func() kv.Store) { return kvtest.NewMemory(), nil })
}
