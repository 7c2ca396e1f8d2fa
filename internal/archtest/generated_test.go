package archtest_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Runs the generators on a copy of this module, where the files that they write
// must be the ones that are there already.
func TestGeneratedFilesAreFresh(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the code generators")
	}
	before := sources(t, moduleRoot(t))
	root := t.TempDir()
	for path, content := range before {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}

	generate := exec.CommandContext(t.Context(), "go", "generate", "./...")
	generate.Dir = root
	out, err := generate.CombinedOutput()
	require.NoError(t, err, "%s: %s", generate, out)

	after := sources(t, root)
	for path, content := range after {
		if !bytes.Equal(before[path], content) {
			t.Errorf("%s is not what its generator makes: run make generate, and commit what changes", path)
		}
	}
}

// sources returns the content of all that generators read or write below root,
// by its path there.
func sources(t *testing.T, root string) map[string][]byte {
	t.Helper()
	skipped := []string{"bin", "build", "node_modules", "otlpgate-data", "testdata"}
	kinds := []string{".go", ".md", ".mod", ".sum", ".tmpl", ".json", ".yaml", ".yml"}
	files := map[string][]byte{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (slices.Contains(skipped, name) || strings.HasPrefix(name, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.Contains(kinds, filepath.Ext(name)) {
			return nil
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[relative], err = os.ReadFile(path)
		return err
	}))
	return files
}
