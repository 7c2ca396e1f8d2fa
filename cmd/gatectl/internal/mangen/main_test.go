package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/cmd/gatectl/internal/cli"
)

func TestManualPagesAreFresh(t *testing.T) {
	t.Parallel()
	directory := filepath.Join("..", "..", "..", "..", "docs", "man")
	want := pages(cli.Root())
	for name, page := range want {
		there, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil || string(there) != page {
			t.Errorf("docs/man/%s is not what the command line says: run make generate, and commit what changes", name)
		}
	}
	files, err := os.ReadDir(directory)
	require.NoError(t, err)
	assert.Len(t, files, len(want), "pages of commands that are no more: run make generate")
}

func TestPagesAreTheSameEveryTime(t *testing.T) {
	t.Parallel()
	first := pages(cli.Root())
	assert.Equal(t, first, pages(cli.Root()))
	assert.Contains(t, first, "gatectl-keys-rotate.1")
}

func TestTextMeansItself(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `\&.hidden \e \-\-flag`, escape(`.hidden \ --flag`))
	assert.Equal(t, `run \fBgatectl keys list\fR`, marked("run `gatectl keys list`"))
	assert.Equal(t, "a\n.nf\n  1. b\n.fi\nc\n.PP\nd\n", prose("a\n  1. b\nc\n\nd"))
}
