package demo

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/store"
)

// digestFor returns a digest that follows from a name. No key has it.
func (w *world) digestFor(name string) store.Digest {
	return sha256.Sum256(fmt.Appendf(nil, "otlpgate demo %d %s", w.Seed, name))
}

func (w *world) keyID(name string) string { return store.KeyIDFor(w.digestFor("key " + name)) }

func (w *world) userID(handle string) string {
	return strings.Replace(store.KeyIDFor(w.digestFor("user "+handle)), "key_", "user_", 1)
}

// coined returns the record of a secret that nobody has: the nth of a key.
func (w *world) coined(kind credential.Kind, key string, n int, at time.Time) store.Secret {
	name := fmt.Sprintf("secret %d of %s", n, key)
	d := newDice(w.Seed, name)
	hint := fmt.Sprintf("%s_%s_%s…%s", credential.DefaultPrefix, kind, d.characters(), d.characters())
	return store.Secret{Digest: w.digestFor(name), Hint: hint, CreatedAt: at}
}

// minted returns the record of a secret that somebody has.
func minted(s credential.Secret, at time.Time) store.Secret {
	return store.Secret{Digest: store.Digest(s.Digest()), Hint: s.Hint(), CreatedAt: at}
}
