//go:build unix

package geo_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/geo"
)

func TestOpenDoesNotWaitForTheWriterOfAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "geoip.mmdb")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := geo.Open(path, geo.Options{})
	assert.ErrorContains(t, err, "it is not a regular file: put a ")
}
