package badgerstore

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerifyAcceptsAWholeBackupAlone(t *testing.T) {
	whole := backup(t, fullStore(t))
	var told uint64
	records, err := Verify(t.Context(), bytes.NewReader(whole), func(n uint64) { told = n })
	require.NoError(t, err)
	require.EqualValues(t, 20+5+29, records)
	require.Equal(t, records, told)

	step := len(whole)/50 + 1
	for n := 0; n < len(whole); n += step {
		_, err := Verify(t.Context(), bytes.NewReader(whole[:n]), nil)
		require.ErrorIs(t, err, ErrBadBackup, "cut at %d", n)
		flipped := bytes.Clone(whole)
		flipped[n] ^= 4
		_, err = Verify(t.Context(), bytes.NewReader(flipped), nil)
		require.Error(t, err, "flipped at %d", n)
	}
	_, err = Verify(t.Context(), bytes.NewReader(append(whole, 'x')), nil)
	require.ErrorIs(t, err, ErrBadBackup)
}

func TestVerifyStops(t *testing.T) {
	whole := backup(t, fullStore(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Verify(ctx, bytes.NewReader(whole), nil)
	require.ErrorIs(t, err, context.Canceled)
}
