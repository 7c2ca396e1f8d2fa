package limittest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/limit/limittest"
)

func TestMemoryKeeperConforms(t *testing.T) {
	limittest.Keeper(t, func(*testing.T) limit.Keeper { return limittest.NewMemoryKeeper() })
}

func TestMemoryKeeperFailsOnDemandAndTellsWhatItKept(t *testing.T) {
	k := limittest.NewMemoryKeeper()
	end := time.Now().Add(-time.Hour)
	c := limit.Counts{Key: "key_1", Data: []byte("x"), End: end}
	require.NoError(t, k.KeepCounts(t.Context(), []limit.Counts{c}))

	broken := errors.New("broken")
	k.Fail(broken)
	require.ErrorIs(t, k.KeepCounts(t.Context(), []limit.Counts{{Key: "key_1", Data: []byte("y")}}), broken)
	_, err := k.Counts(t.Context(), "key_1")
	require.ErrorIs(t, err, broken)
	require.Equal(t, map[string]limit.Counts{"key_1": c}, k.Kept())
	require.Equal(t, 3, k.Calls())

	k.Fail(nil)
	kept, err := k.Counts(t.Context(), "key_1")
	require.NoError(t, err)
	require.Nil(t, kept, "by the clock of the machine they have run out")
	k.Clock(func() time.Time { return end })
	kept, err = k.Counts(t.Context(), "key_1")
	require.NoError(t, err)
	require.Equal(t, []byte("x"), kept)
}
