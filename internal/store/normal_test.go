package store

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDigestText(t *testing.T) {
	want := Digest{0: 0xab, 31: 0x01}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	require.Equal(t, `"sha256:ab00000000000000000000000000000000000000000000000000000000000001"`, string(text))
	var got Digest
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, want, got)
}

func TestBadDigestTextIsNotRepeated(t *testing.T) {
	const secret = "px_live_0123456789"
	for _, text := range []string{
		"", secret, "sha256:", "sha256:" + secret, "md5:ab00000000000000000000000000000000000000000000000000000000000001",
		"sha256:zz00000000000000000000000000000000000000000000000000000000000001",
		"sha256:ab0000000000000000000000000000000000000000000000000000000000000100",
	} {
		var d Digest
		err := d.UnmarshalText([]byte(text))
		require.EqualError(t, err, "invalid digest: must be sha256: and 64 hex digits")
	}
}

func TestEmailKeyIgnoresCase(t *testing.T) {
	require.Equal(t, EmailKey("Ä.User@Example.COM"), EmailKey("ä.uSER@example.com"))
	require.Empty(t, EmailKey(""))
}
