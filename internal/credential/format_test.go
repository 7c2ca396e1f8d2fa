package credential

import (
	"hash/crc32"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var kinds = []Kind{Live, Test, Sys}

func TestMintedKeysParseAndMatchThePattern(t *testing.T) {
	for _, f := range []Format{{}, {Prefix: "px"}, {Prefix: "a"}, {Prefix: "acme2"}, {Prefix: "abcdefghijklmnop"}} {
		require.NoError(t, f.Validate())
		pattern := regexp.MustCompile("^" + Pattern(f) + "$")
		for _, kind := range kinds {
			minted := f.Mint(kind)
			text := minted.Reveal()
			assert.Regexp(t, pattern, text)
			parsed, err := f.Parse(text)
			require.NoError(t, err)
			assert.Equal(t, minted, parsed)
			assert.Equal(t, text, parsed.Reveal())
			assert.Equal(t, kind, parsed.Kind())
		}
	}
}

func TestPatternIsTheDocumentedOne(t *testing.T) {
	assert.Equal(t, `\bpx_(live|test|sys)_[0-9A-Za-z]{36}\b`, Pattern(Format{}))
	assert.Equal(t, `\bacme_(live|test|sys)_[0-9A-Za-z]{36}\b`, Pattern(Format{Prefix: "acme"}))
}

func TestPatternFindsKeysInText(t *testing.T) {
	key := Format{}.Mint(Sys).Reveal()
	assert.Equal(t, key, regexp.MustCompile(Pattern(Format{})).FindString(`token: "`+key+`",`))
}

func TestMintNeverRepeats(t *testing.T) {
	seen := map[Secret]bool{}
	for range 10_000 {
		s := Format{}.Mint(Live)
		require.False(t, seen[s])
		seen[s] = true
	}
}

// Each character is drawn 30·n/62 times on average; taking a byte modulo 62
// would favour some by a quarter. The bound is eight standard deviations.
func TestMintIsUnbiased(t *testing.T) {
	const n = 20_000
	count := map[byte]int{}
	for range n {
		text := Format{}.Mint(Live).Reveal()
		for i := range randomLen {
			count[text[len("px_live_")+i]]++
		}
	}
	const mean = randomLen * n / 62.0
	assert.Len(t, count, 62)
	for c, got := range count {
		assert.InDelta(t, mean, got, 8*98, "character %q", c) // √mean ≈ 98
	}
}

func TestMintPanicsRatherThanMakeAKeyThatDoesNotParse(t *testing.T) {
	assert.PanicsWithValue(t, `credential: mint: unknown kind "prod"`, func() { Format{}.Mint("prod") })
	assert.Panics(t, func() { Format{Prefix: "A_"}.Mint(Live) })
}

func TestChecksumIsFixedWidthCRC32(t *testing.T) {
	assert.Equal(t, "000000", sumOf(""))
	assert.Equal(t, goldenKey[38:], sumOf(goldenKey[:38]))
	for _, s := range []string{"", "a", "px_live_", strings.Repeat("z", 52)} {
		assert.Equal(t, crc32.ChecksumIEEE([]byte(s)), crc(s))
	}
}

func sumOf(body string) string {
	sum := checksum(body)
	return string(sum[:])
}

func TestGoldenKeyStaysValid(t *testing.T) {
	s, err := Format{}.Parse(goldenKey)
	require.NoError(t, err)
	assert.Equal(t, Live, s.Kind())
}

// malformed and mistyped are all that Parse ever says for the default format.
const (
	malformed = "malformed API key: must be px_<live|test|sys>_ and 36 letters or digits; copy the whole key again"
	mistyped  = "API key checksum does not match: the key was truncated or mistyped; copy the whole key again"
)

func TestParseRefusesWhatIsNotAKey(t *testing.T) {
	tail := strings.Repeat("a", 36)
	for name, text := range map[string]string{
		"empty":              "",
		"prefix alone":       "px",
		"no kind":            "px_" + tail,
		"empty kind":         "px__" + tail,
		"unknown kind":       "px_prod_" + tail,
		"kind in upper case": "px_LIVE_" + tail,
		"other prefix":       "sk_live_" + tail,
		"longer prefix":      "pxx_live_" + tail,
		"one short":          "px_live_" + tail[1:],
		"one long":           "px_live_a" + tail,
		"underscore in tail": "px_live_" + tail[1:] + "_",
		"space before":       " px_live_" + tail,
		"space after":        "px_live_" + tail + " ",
		"newline":            "px_live_" + tail + "\n",
		"nul":                "px_live_" + tail[1:] + "\x00",
		"not UTF-8":          "px_live_" + tail[1:] + "\xff",
		"letter beyond":      "px_live_" + tail[2:] + "é",
		"bearer":             "Bearer px_live_" + tail,
		"binary":             strings.Repeat("\x00\xff", 22),
		"1 MiB":              strings.Repeat("a", 1<<20),
		"1 MiB after prefix": "px_live_" + strings.Repeat("a", 1<<20),
		"1 MiB of invalid":   "px_live_" + strings.Repeat("\xff_", 1<<19),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Format{}.Parse(text)
			require.ErrorIs(t, err, ErrMalformed)
			assert.NotErrorIs(t, err, ErrChecksum)
			assert.EqualError(t, err, malformed)
			assert.True(t, s.IsZero())
		})
	}
}

func TestParseRefusesEverySingleMistypedCharacter(t *testing.T) {
	key := Format{}.Mint(Live).Reveal()
	for i := len("px_live_"); i < len(key); i++ {
		for _, c := range alphabet {
			if byte(c) == key[i] {
				continue
			}
			_, err := Format{}.Parse(key[:i] + string(c) + key[i+1:])
			require.ErrorIs(t, err, ErrChecksum)
			require.NotErrorIs(t, err, ErrMalformed)
			require.EqualError(t, err, mistyped)
		}
	}
}

func TestParseRefusesSwappedNeighbours(t *testing.T) {
	key := Format{}.Mint(Live).Reveal()
	for i := len("px_live_"); i < len(key)-1; i++ {
		if key[i] == key[i+1] {
			continue
		}
		_, err := Format{}.Parse(key[:i] + string(key[i+1]) + string(key[i]) + key[i+2:])
		require.ErrorIs(t, err, ErrChecksum)
	}
}

func TestChecksumCoversPrefixAndKind(t *testing.T) {
	key := Format{}.Mint(Live).Reveal()
	_, err := Format{}.Parse(strings.Replace(key, "live", "test", 1))
	assert.ErrorIs(t, err, ErrChecksum)
	_, err = Format{Prefix: "py"}.Parse(strings.Replace(key, "px", "py", 1))
	assert.ErrorIs(t, err, ErrChecksum)
}

func TestParseNamesThePrefixInUse(t *testing.T) {
	_, err := Format{Prefix: "acme"}.Parse("px_live_x")
	assert.ErrorContains(t, err, "must be acme_<live|test|sys>_")
}

func TestFormatValidatesThePrefix(t *testing.T) {
	for _, good := range []string{"", "a", "px", "a1", "abcdefghijklmnop"} {
		assert.NoError(t, Format{Prefix: good}.Validate(), "%q", good)
	}
	for _, bad := range []string{"1a", "_", "a_b", "Px", "pX", "a-b", "é", "aé", "a ", " ", "abcdefghijklmnopq"} {
		err := Format{Prefix: bad}.Validate()
		require.Error(t, err, "%q", bad)
		assert.ErrorContains(t, err, "must be a lower-case letter and up to 15")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "px", "px_live_", goldenKey, goldenKey[:43], goldenKey + "x", "Bearer " + goldenKey,
		"px_sys_" + strings.Repeat("0", 36), "px_test_" + strings.Repeat("\xff", 36), strings.Repeat("_", 44),
		Format{}.Mint(Test).Reveal(), Format{}.Mint(Sys).Reveal(), malformed, mistyped,
	} {
		f.Add(seed)
	}
	pattern := regexp.MustCompile("^" + Pattern(Format{}) + "$")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Format{}.Parse(text)
		if err != nil {
			// One of two constant texts: neither can hold any part of the input.
			require.Contains(t, []string{malformed, mistyped}, err.Error())
			require.True(t, s.IsZero())
			return
		}
		require.Equal(t, text, s.Reveal())
		require.Regexp(t, pattern, text)
		require.Contains(t, kinds, s.Kind())
		require.NotContains(t, s.String(), text[len(text)-tailLen:len(text)-tailLen+4])
	})
}

func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{
		"key": goldenKey, "mistyped": goldenKey[:43] + "0", "malformed": "eyJhbGciOi", "1MiB": strings.Repeat("a", 1<<20),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Format{}.Parse(text)
			}
		})
	}
}
