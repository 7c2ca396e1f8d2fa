package credential

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// holder is a careless struct: fmt cannot ask the methods of what is in its
// unexported field.
type holder struct {
	hidden  Secret
	Exposed Secret
	pointer *Secret
}

func TestNothingButRevealShowsTheSecret(t *testing.T) {
	for _, kind := range kinds {
		s := Format{}.Mint(kind)
		text := s.Reveal()
		for how, printed := range printings(t, s) {
			// Any five consecutive random characters would be a leak, in
			// plain, hex or as numbers.
			random := text[len(text)-tailLen:]
			for i := 0; i+5 <= len(random); i++ {
				part := random[i : i+5]
				for _, form := range []string{
					part, fmt.Sprintf("%x", part), fmt.Sprintf("%X", part),
					strings.Trim(fmt.Sprintf("%d", []byte(part)), "[]"), fmt.Sprintf("% x", part),
				} {
					require.NotContains(t, printed, form, how)
				}
			}
		}
	}
}

func printings(t *testing.T, s Secret) map[string]string {
	t.Helper()
	out := map[string]string{}
	h := holder{s, s, &s}
	for name, v := range map[string]any{
		"value": s, "pointer": &s, "struct": h, "struct pointer": &h, "slice": []Secret{s},
		"map": map[Secret]Secret{s: s}, "any": []any{s}, "array": [1]holder{h},
	} {
		for _, flags := range []string{"", "+", "#", " ", "-60", "060", ".3", "+#"} {
			for _, verb := range "vsqxXdtTpwbceEfFgGoOUz" {
				out[name+" %"+flags+string(verb)] = fmt.Sprintf("%"+flags+string(verb), v)
			}
		}
		out[name+" Errorf"] = fmt.Errorf("%v: %w", v, errors.New("x")).Error()
		out[name+" Print"] = fmt.Sprint(v)
		if encoded, err := json.Marshal(v); err == nil {
			out[name+" json"] = string(encoded)
		}
		logged(out, name, v)
	}
	var g bytes.Buffer
	_ = gob.NewEncoder(&g).Encode(s)
	out["gob"] = g.String()
	out["GoString"] = s.GoString()
	return out
}

func logged(out map[string]string, name string, v any) {
	var text, object, zapped bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&object, nil)).Info("m", "v", v)
	out[name+" slog text"], out[name+" slog json"] = text.String(), object.String()
	for kind, encoder := range map[string]zapcore.Encoder{
		"json":    zapcore.NewJSONEncoder(zap.NewDevelopmentEncoderConfig()),
		"console": zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
	} {
		log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&zapped), zap.DebugLevel))
		log.Info("m", zap.Any("any", v), zap.Reflect("reflect", v))
		log.Sugar().Infow("m", "v", v)
		log.Sugar().Infof("%v %+v", v, v)
		if s, ok := v.(fmt.Stringer); ok {
			log.Info("m", zap.Stringer("stringer", s))
		}
		out[name+" zap "+kind] = zapped.String()
	}
}

func TestRedactedFormSaysWhatKindOfKeyItIs(t *testing.T) {
	s := golden(t)
	const redacted = "[redacted px_live_…]"
	assert.Equal(t, redacted, s.String())
	assert.Equal(t, redacted, fmt.Sprintf("%#v", s))
	assert.Equal(t, redacted, fmt.Sprintf("%x", s))
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Equal(t, `"`+redacted+`"`, string(encoded))
	text, err := s.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, redacted, string(text))
	assert.Equal(t, redacted, s.LogValue().String())
}

func TestHintShowsFourCharactersOfEachEnd(t *testing.T) {
	for _, kind := range kinds {
		s := Format{Prefix: "acme"}.Mint(kind)
		text := s.Reveal()
		head := len("acme_") + len(kind) + len("_") + 4
		assert.Equal(t, text[:head]+"…"+text[len(text)-4:], s.Hint())
	}
}

func TestZeroSecretIsNoKey(t *testing.T) {
	var s Secret
	assert.True(t, s.IsZero())
	assert.Empty(t, s.Reveal())
	assert.Empty(t, s.Hint())
	assert.Empty(t, s.Kind())
	assert.Equal(t, "[no key]", s.String())
	assert.Equal(t, "[no key]", fmt.Sprintf("%+v", s))
	assert.Equal(t, Digest(sha256.Sum256(nil)), s.Digest())
	var none *Secret
	assert.NotPanics(t, func() { _ = fmt.Sprint(none) })
	assert.False(t, golden(t).IsZero())
}

func TestSecretsAreEqualWhereTheyAreTheSameKey(t *testing.T) {
	a, b := golden(t), golden(t)
	assert.Equal(t, map[Secret]bool{a: true}, map[Secret]bool{b: true})
	assert.NotEqual(t, a, Format{}.Mint(Live))
}

func golden(t testing.TB) Secret {
	t.Helper()
	s, err := Format{}.Parse(goldenKey)
	require.NoError(t, err)
	return s
}
