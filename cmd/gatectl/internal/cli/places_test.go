package cli

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func TestPlacesAreToldAsTheUserWroteThem(t *testing.T) {
	t.Parallel()
	var k keyFlags
	cmd := &cobra.Command{}
	k.register(&program{}, cmd)
	require.NoError(t, cmd.ParseFlags([]string{"--name", "x", "--limit", "a,b", "--scope", "s"}))
	c := &connection{given: cmd.Flags()}
	for place, want := range map[string]string{
		"/name":         `--name "x"`,
		"/limits/1/max": `--limit "b"`,
		"/limits/2":     "--limit",
		"/limits":       "--limit",
		"/scopes/0":     `--scope "s"`,
		"/plan":         "--plan",
		"/ownerId":      "--owner",
		"/gracePeriod":  "--grace",
		"q":             "--query",
		"cursor":        "cursor",
		"body":          "body",
	} {
		assert.Equal(t, want, c.placeText(place), place)
	}
	assert.Equal(t, "--name", (&connection{}).placeText("/name"))
}

func TestWhatStandsThereIsToldOnce(t *testing.T) {
	t.Parallel()
	named := func(string) string { return `--plan "gold"` }
	assert.Equal(t, `--plan: unknown plan "gold"`, ruleText(named, client.FieldError{Detail: `unknown plan "gold"`}))
	assert.Equal(t, `--plan "gold": no such plan`, ruleText(named, client.FieldError{Detail: "no such plan"}))
	named = func(string) string { return "line 1, keys[0]" }
	assert.Equal(t, "line 1, keys[0]: 1, keys[0]", ruleText(named, client.FieldError{Detail: "1, keys[0]"}))
}
