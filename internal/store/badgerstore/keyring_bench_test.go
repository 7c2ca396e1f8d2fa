package badgerstore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/keyring"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// BenchmarkKeyring is what a request pays for its key: held in memory, read
// from the store, or unknown to both.
func BenchmarkKeyring(b *testing.B) {
	for _, size := range benchSizes(b) {
		directory := newDirectory(b)
		require.NoError(b, os.Mkdir(directory, 0o700))
		fillDirectory(b, directory, size)
		s := openIn(b, directory)
		lookup := func(name string, held int64, warm bool, digest func() credential.Digest) {
			digests := make([]credential.Digest, 1<<16) // making one costs more than looking it up
			for i := range digests {
				digests[i] = digest()
			}
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				plans, err := limit.NewPlans(nil, limit.DefaultPlan)
				require.NoError(b, err)
				ring, err := keyring.New(keyring.Options{Source: s, MaxKeys: held, Plans: plans})
				require.NoError(b, err)
				defer ring.Close()
				if warm {
					fillKeyring(b, ring, size, digests)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for i := 0; b.Loop(); i++ {
					ring.Lookup(b.Context(), digests[i%len(digests)])
				}
			})
		}
		known := func() credential.Digest { return credential.Digest(storetest.Digest(rand.IntN(size))) }
		unknown := func() credential.Digest { return credential.Digest(storetest.Digest(size + rand.IntN(1<<40))) }
		lookup("hit", 2*int64(size), true, known)
		lookup("miss", 1, false, known)
		lookup("unknown", 1, false, unknown)
	}
}

// fillKeyring makes ring hold the keys, those of digests without fail: the cache
// may drop what it is given.
func fillKeyring(b *testing.B, ring *keyring.Keyring, size int, digests []credential.Digest) {
	b.Helper()
	for i := range size {
		ring.Lookup(b.Context(), credential.Digest(storetest.Digest(i)))
	}
	for _, d := range digests {
		for _, _, held := ring.Cached(d); !held; _, _, held = ring.Cached(d) {
			ring.Lookup(b.Context(), d)
		}
	}
}
