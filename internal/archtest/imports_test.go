package archtest_test

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/otlpgate/otlpgate"

func TestPackagesImportOnlyInTheDesignedDirection(t *testing.T) {
	imports := moduleImports(t)
	require.Contains(t, imports, module+"/internal/archtest", "this package is not among those that were read")
	for _, violation := range violations(imports, rules, confined) {
		t.Error(violation)
	}
}

// What the test above finds has to be shown on a graph that is wrong.
func TestViolationsAreFound(t *testing.T) {
	rules := []rule{
		{pkg: "limit"},
		{pkg: "identity", may: []string{"limit"}},
		{pkg: "store/...", may: []string{"identity"}},
		{pkg: "store/badgerstore", may: []string{"store"}},
		{pkg: "gate", may: []string{"store/..."}},
	}
	confined := []rule{{pkg: "example.com/badger/...", may: []string{"store/badgerstore"}}}

	for name, test := range map[string]struct {
		pkg     string
		imports []string
		want    []string
	}{
		"allowed":             {pkg: "identity", imports: []string{module + "/limit"}},
		"allowed below":       {pkg: "gate", imports: []string{module + "/store", module + "/store/badgerstore"}},
		"outside is free":     {pkg: "limit", imports: []string{"time", "example.com/other"}},
		"confined, and there": {pkg: "store/badgerstore", imports: []string{"example.com/badger/v4/options"}},
		"against the direction": {
			pkg: "limit", imports: []string{module + "/identity"},
			want: []string{"limit must not import identity: its rule allows no package of this module"},
		},
		"not in the rule": {
			pkg: "identity", imports: []string{module + "/limit", module + "/gate"},
			want: []string{"identity must not import gate: its rule allows limit"},
		},
		"the longest rule counts": {
			pkg: "store/badgerstore", imports: []string{module + "/identity"},
			want: []string{"store/badgerstore must not import identity: its rule allows store"},
		},
		"a name that only begins alike": {
			pkg: "gate", imports: []string{module + "/storehouse"},
			want: []string{"gate must not import storehouse: its rule allows store/..."},
		},
		"confined elsewhere": {
			pkg: "gate", imports: []string{"example.com/badger/v4"},
			want: []string{"gate must not import example.com/badger/v4: only store/badgerstore may"},
		},
		"no rule": {
			pkg:  "newcomer",
			want: []string{"newcomer has no rule: add a rule for it to rules_test.go"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			graph := map[string][]string{module + "/" + test.pkg: test.imports}
			require.Equal(t, test.want, violations(graph, rules, confined))
		})
	}
}

// violations tells how imports, the import paths of each package by its own,
// break the rules.
func violations(imports map[string][]string, rules, confined []rule) []string {
	var found []string
	for path, imported := range imports {
		pkg := relative(path)
		own := ruleFor(rules, pkg)
		if own == nil {
			found = append(found, fmt.Sprintf("%s has no rule: add a rule for it to rules_test.go", pkg))
			continue
		}
		for _, path := range imported {
			if breach := breach(*own, pkg, path, confined); breach != "" {
				found = append(found, breach)
			}
		}
	}
	slices.Sort(found)
	return found
}

// breach tells what is wrong with pkg importing path, if anything is.
func breach(own rule, pkg, path string, confined []rule) string {
	if dependency := relative(path); dependency != path {
		switch {
		case matchesAny(own.may, dependency):
			return ""
		case len(own.may) == 0:
			return fmt.Sprintf("%s must not import %s: its rule allows no package of this module", pkg, dependency)
		default:
			return fmt.Sprintf("%s must not import %s: its rule allows %s", pkg, dependency, strings.Join(own.may, ", "))
		}
	}
	if c := ruleFor(confined, path); c != nil && !matchesAny(c.may, pkg) {
		return fmt.Sprintf("%s must not import %s: only %s may", pkg, path, strings.Join(c.may, ", "))
	}
	return ""
}

// ruleFor returns the rule with the longest path that fits pkg, nil where none
// does.
func ruleFor(rules []rule, pkg string) *rule {
	var best *rule
	for i := range rules {
		if matches(rules[i].pkg, pkg) && (best == nil || len(rules[i].pkg) > len(best.pkg)) {
			best = &rules[i]
		}
	}
	return best
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, pkg) })
}

func matches(pattern, pkg string) bool {
	root, below := strings.CutSuffix(pattern, "/...")
	return pkg == root || below && strings.HasPrefix(pkg, root+"/")
}

// relative strips the module from the path of one of its packages.
func relative(path string) string { return strings.TrimPrefix(path, module+"/") }

// moduleImports returns what the non-test code of each package of this module
// imports. It reads the files itself, instead of asking go list, so that go
// test knows when its cached result is out of date.
func moduleImports(t *testing.T) map[string][]string {
	t.Helper()
	root := moduleRoot(t)
	imports := map[string][]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if path != root && outside(path) {
			return filepath.SkipDir
		}
		pkg, err := build.ImportDir(path, 0)
		if _, none := errors.AsType[*build.NoGoError](err); none {
			return nil
		}
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, path)
		imports[module+"/"+filepath.ToSlash(below)] = pkg.Imports
		return err
	}))
	return imports
}

// outside tells whether a directory is not part of this module: one of those
// that the go command ignores, or another module.
func outside(dir string) bool {
	name := filepath.Base(dir)
	if name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// moduleRoot returns the directory of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(root, "go.mod"))
	return root
}
