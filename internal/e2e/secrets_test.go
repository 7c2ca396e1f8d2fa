package e2e

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/otlpgate/otlpgate/internal/credential"
)

// vault holds every key that a test has seen, and everything that was said to
// it, to find out whether a key was repeated anywhere.
type vault struct {
	mu      sync.Mutex
	secrets map[string]bool
	heard   []statement
	clean   map[string]int // directories: how many secrets were looked for there, at the end of a test
}

type statement struct{ where, text string }

func newVault(t testing.TB) *vault {
	t.Helper()
	return &vault{secrets: map[string]bool{}, clean: map[string]int{}}
}

// keep registers a key and returns it.
func (v *vault) keep(secret string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secrets[secret] = true
	return secret
}

// mint returns a sound key that nobody knows.
func (v *vault) mint(kind credential.Kind) string {
	return v.keep(credential.Format{}.Mint(kind).Reveal())
}

// saw records what somebody said.
func (v *vault) saw(where, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.heard = append(v.heard, statement{where, text})
}

// check fails the test for every key in what was said.
func (v *vault) check(t testing.TB) {
	t.Helper()
	find := v.finder()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.heard {
		if find(s.text) {
			t.Errorf("%s repeats an API key", s.where)
		}
	}
	v.heard = nil
}

// checkFiles fails the test for every key in a file of the directory, other
// than the one that the administrator's is written to.
func (v *vault) checkFiles(t testing.TB, directory string) {
	t.Helper()
	if !v.unchecked(directory) {
		return
	}
	find := v.finder()
	eachFile(t, directory, func(path string, content []byte) {
		if filepath.Base(path) != "admin.key" && find(string(content)) {
			t.Errorf("%s holds an API key", path)
		}
	})
}

// unchecked reports whether keys are to be looked for in the directory, and
// remembers that they were: collectors that had it in turn all end with the test.
func (v *vault) unchecked(directory string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := v.clean[directory]
	v.clean[directory] = len(v.secrets)
	return before < len(v.secrets)
}

const (
	hintLength = 4 // at each end of a key's random part: people may see it
	window     = 8
)

// needle is the part of a key that nobody may see.
func needle(secret string) string {
	if _, tail, ok := strings.Cut(secret, "_"); ok {
		if _, random, ok := strings.Cut(tail, "_"); ok && len(random) > 2*hintLength+window {
			return random[hintLength : len(random)-hintLength]
		}
	}
	return secret
}

// finder returns a search for all keys at once.
func (v *vault) finder() func(text string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	needles := map[string][]string{}
	for secret := range v.secrets {
		if n := needle(secret); len(n) >= window {
			needles[n[:window]] = append(needles[n[:window]], n)
		}
	}
	return func(text string) bool {
		for i := range max(0, len(text)-window+1) {
			if text[i] == 0 {
				continue
			}
			for _, n := range needles[text[i:i+window]] {
				if strings.HasPrefix(text[i:], n) {
					return true
				}
			}
		}
		return false
	}
}

func TestTheVaultFindsKeys(t *testing.T) {
	v := newVault(t)
	secret := v.mint(credential.Live)
	find := v.finder()
	for text, want := range map[string]bool{
		"":                            false,
		"x" + secret + "y":            true,
		secret[12 : len(secret)-4]:    true,
		secret[:12] + "…" + "abcdefg": false,
		v.mint(credential.Live):       false, // after the finder was made
	} {
		if find(text) != want {
			t.Errorf("find(%q) = %t, want %t", text, !want, want)
		}
	}
}
