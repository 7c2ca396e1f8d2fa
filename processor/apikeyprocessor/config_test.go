package apikeyprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

// load reads a configuration as the collector does.
func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	var settings map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &settings))
	cfg := NewFactory().CreateDefaultConfig()
	if err := confmap.NewFromStringMap(settings).Unmarshal(&cfg); err != nil {
		return nil, err
	}
	return cfg.(*Config), confmap.Validate(cfg)
}

func TestConfigIsLoadedOverTheDefaults(t *testing.T) {
	defaults := Config{
		Tag: TagRecord, Attributes: AttributesConfig{ID: "apikey.id", Name: "apikey.name"},
		ProjectAttribute: "openinference.project.name",
	}
	with := func(change func(*Config)) Config {
		c := defaults
		change(&c)
		return c
	}
	for text, want := range map[string]Config{
		"":                             defaults,
		"attributes:":                  defaults,
		"attributes: {}":               defaults,
		"authenticator: apikeyauth":    with(func(c *Config) { c.Authenticator = component.MustNewID("apikeyauth") }),
		"authenticator: apikeyauth/b":  with(func(c *Config) { c.Authenticator = component.MustNewIDWithName("apikeyauth", "b") }),
		"tag: resource":                with(func(c *Config) { c.Tag = TagResource }),
		"tag: none":                    with(func(c *Config) { c.Tag = TagNone }),
		"project_attribute: a.project": with(func(c *Config) { c.ProjectAttribute = "a.project" }),
		"attributes: {id: ''}":         with(func(c *Config) { c.Attributes.ID = "" }),
		"attributes: {id: a, name: b, type: c, environment: d, owner: e, plan: f}": with(func(c *Config) {
			c.Attributes = AttributesConfig{ID: "a", Name: "b", Type: "c", Environment: "d", Owner: "e", Plan: "f"}
		}),
	} {
		t.Run(text, func(t *testing.T) {
			got, err := load(t, text)
			require.NoError(t, err)
			assert.Equal(t, &want, got)
		})
	}
}

func TestBadConfigIsRefusedWithPathValueRuleAndRemedy(t *testing.T) {
	for text, want := range map[string][]string{
		"tag: everywhere": {`tag: unknown level "everywhere": must be span, resource or none`},
		"tag:":            {`tag: unknown level "": must be span, resource or none`},
		"project_attribute: ''": {
			"project_attribute: must not be empty: name the resource attribute that holds the project, such as openinference.project.name",
		},
		"project_attribute: ' '": {"project_attribute: must not be empty"},
		"project_attribute: apikey.project": {
			`project_attribute: "apikey.project" is in the namespace apikey, which is taken from senders: name an attribute that they set`,
		},
		"project_attribute: apikey": {`project_attribute: "apikey" is in the namespace apikey`},
		"attributes: {id: x, owner: x}": {
			`attributes::owner: "x" is already the name of attributes::id: give each part a name of its own`,
		},
		"attributes: {id: x, type: x, plan: x}": {"attributes::type: ", "attributes::plan: "},
		"attributes: {plan: openinference.project.name}": {
			`attributes::plan: "openinference.project.name" would take the project_attribute "openinference.project.name" from senders: choose another name`,
		},
		"attributes: {plan: openinference}":      {`attributes::plan: "openinference" would take the project_attribute`},
		"{tag: x, attributes: {id: y, name: y}}": {"tag: ", "attributes::name: "},

		"authenticator: 'a b'":     {"authenticator", "a b"},
		"authenticator: apikey/":   {"authenticator", "apikey/"},
		"tags: span":               {"tags"},
		"attributes: {key: x}":     {"attributes", "key"},
		"attributes: span":         {"attributes"},
		"attributes: {id: [x]}":    {"attributes.id"},
		"tag: [span]":              {"tag"},
		"project_attribute: {a: }": {"project_attribute"},
	} {
		t.Run(text, func(t *testing.T) {
			_, err := load(t, text)
			for _, part := range want {
				assert.ErrorContains(t, err, part)
			}
		})
	}
}

// A name next to the namespaces of others is no conflict.
func TestNamesMayBeNeighbours(t *testing.T) {
	_, err := load(t, "{project_attribute: apikeys.project, attributes: {id: apikeys.proj, name: apikeys.project.owner, plan: a, owner: a.b}}")
	assert.NoError(t, err)
}
