package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestTheDistributionHoldsWhatItPromises(t *testing.T) {
	t.Parallel()
	p := run(t, binary(t, "otlpgate"), "components")
	require.Zero(t, p.wait(t), p.output.String())
	var got map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(p.output.String()), &got))
	for kind, names := range map[string][]string{
		"receivers":  {"otlp", "zipkin"},
		"processors": {"apikey", "attributes", "batch", "memory_limiter"},
		"exporters":  {"debug", "nop", "otlp_grpc", "otlp_http"},
		"extensions": {"apikeyauth", "oidc", "zpages"},
	} {
		var held []string
		for _, c := range got[kind].([]any) {
			held = append(held, c.(map[string]any)["name"].(string))
		}
		assert.ElementsMatch(t, names, held, kind)
	}
}
