package cursor

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestACursorLeadsBackToItsPosition(t *testing.T) {
	l := Of("keys", "active", "")
	for _, position := range []string{"12345678", "12345678key_a", strings.Repeat("\xff", 300)} {
		got, err := l.Position(l.At([]byte(position)), 8)
		require.NoError(t, err)
		assert.Equal(t, position, string(got))
	}
	got, err := l.Position("", 8)
	require.NoError(t, err)
	assert.Nil(t, got)
}

func TestACursorIsOfItsListingAlone(t *testing.T) {
	made := Of("keys", "active", "a").At([]byte("12345678"))
	for _, other := range []Listing{Of("keys", "active", "b"), Of("keys", "active"), Of("users", "active", "a"), Of("keys", "activea")} {
		_, err := other.Position(made, 8)
		assert.ErrorIs(t, err, store.ErrBadCursor, other)
	}
	_, err := Of("keys", "active", "a").Position(made, 9)
	assert.ErrorIs(t, err, store.ErrBadCursor, "too short for this listing")
}

func FuzzPosition(f *testing.F) {
	l := Of("keys")
	f.Add(l.At([]byte("12345678")))
	f.Add("AQ")
	f.Add("…")
	f.Fuzz(func(t *testing.T, text string) {
		position, err := l.Position(text, 8)
		switch {
		case err != nil:
			assert.ErrorIs(t, err, store.ErrBadCursor)
		case text != "":
			assert.Equal(t, text, l.At(position))
		}
	})
}
