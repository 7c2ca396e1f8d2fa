package credential

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDigestIsSHA256OfTheWholeKey(t *testing.T) {
	for _, f := range []Format{{}, {Prefix: "a"}, {Prefix: "abcdefghijklmnop"}} {
		for _, kind := range kinds {
			s := f.Mint(kind)
			assert.Equal(t, sha256.Sum256([]byte(s.Reveal())), [32]byte(s.Digest()))
		}
	}
}

func TestDigestTextRoundTrips(t *testing.T) {
	d := golden(t).Digest()
	assert.Equal(t, goldenDigest, d.String())
	for _, text := range []string{goldenDigest, "sha256:" + strings.ToUpper(goldenDigest[7:])} {
		parsed, err := ParseDigest(text)
		require.NoError(t, err)
		assert.True(t, d.Equal(parsed))
	}
	encoded, err := json.Marshal(map[string]Digest{"d": d})
	require.NoError(t, err)
	assert.JSONEq(t, `{"d":"`+goldenDigest+`"}`, string(encoded))
	var decoded map[string]Digest
	require.NoError(t, json.Unmarshal(encoded, &decoded))
	assert.Equal(t, d, decoded["d"])
}

func TestDigestEqualSeesEveryBit(t *testing.T) {
	d := golden(t).Digest()
	for i := range len(d) * 8 {
		other := d
		other[i/8] ^= 1 << (i % 8)
		require.False(t, d.Equal(other))
	}
	assert.True(t, d.Equal(d))
	assert.True(t, Digest{}.Equal(Digest{}))
}

func TestParseDigestSaysTheRuleAndNotTheText(t *testing.T) {
	for _, text := range []string{
		"", "sha256:", goldenDigest[7:], goldenDigest[:70], goldenDigest + "0", "sha512:" + goldenDigest[7:],
		"SHA256:" + goldenDigest[7:], "sha256:" + strings.Repeat("g", 64), " " + goldenDigest, goldenKey,
	} {
		d, err := ParseDigest(text)
		require.ErrorContains(t, err, "must be sha256:<64 hex digits>", "%q", text)
		assert.Zero(t, d)
		if len(text) > 8 {
			assert.NotContains(t, err.Error(), text[8:])
		}
	}
}

func TestUnmarshalTextLeavesTheDigestAloneOnError(t *testing.T) {
	d := golden(t).Digest()
	want := d
	require.Error(t, d.UnmarshalText([]byte("sha256:00")))
	assert.Equal(t, want, d)
}

func FuzzParseDigest(f *testing.F) {
	f.Add("")
	f.Add(goldenDigest)
	f.Add(goldenKey)
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDigest(text); err == nil {
			require.Equal(t, "sha256:"+strings.ToLower(text[7:]), d.String())
		}
	})
}

func BenchmarkDigest(b *testing.B) {
	s := golden(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Digest()
	}
}
