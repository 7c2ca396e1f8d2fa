package credential

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestKeysAreTakenOutOfTextsAndNothingElse(t *testing.T) {
	f := Format{Prefix: "acme"}
	key := f.Mint(Live)
	r := f.Redactor()
	for text, want := range map[string]string{
		"":                                 "",
		"agent/1.0":                        "agent/1.0",
		"agent " + key.Reveal() + " twice": "agent " + Redacted + " twice",
		key.Reveal()[:32]:                  Redacted,
		key.Hint():                         key.Hint(),
		Format{}.Mint(Sys).Reveal()[:3] + "acme_": "px_acme_",
	} {
		assert.Equal(t, want, r.Redact(text))
		assert.Equal(t, want != text, r.Finds(text))
	}
}
