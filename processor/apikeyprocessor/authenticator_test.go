package apikeyprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/component"
)

// otherExtension is an extension of another kind.
type otherExtension struct {
	component.StartFunc
	component.ShutdownFunc
}

func TestFindAuthenticator(t *testing.T) {
	id := component.MustNewIDWithName
	plain := component.MustNewID("apikeyauth")
	one, two, other := &fakeGate{processors: 1}, &fakeGate{processors: 2}, &otherExtension{}
	for name, test := range map[string]struct {
		extensions fakeHost
		id         component.ID
		want       authenticator
		err        string
	}{
		"by id":                  {fakeHost{plain: one, id("apikeyauth", "b"): two}, id("apikeyauth", "b"), two, ""},
		"the only one":           {fakeHost{plain: one, id("health", "x"): other}, component.ID{}, one, ""},
		"the only one, named":    {fakeHost{id("apikeyauth", "b"): two}, component.ID{}, two, ""},
		"none":                   {fakeHost{}, component.ID{}, nil, "authenticator: no apikeyauth extension runs: add it under extensions and service::extensions"},
		"none of its kind":       {fakeHost{id("health", "x"): other}, component.ID{}, nil, "authenticator: no apikeyauth extension runs: add it under extensions and service::extensions"},
		"several":                {fakeHost{id("apikeyauth", "b"): two, plain: one}, component.ID{}, nil, "authenticator: several apikeyauth extensions run (apikeyauth, apikeyauth/b): set authenticator to one of them"},
		"unknown id":             {fakeHost{plain: one}, id("apikeyauth", "c"), nil, `authenticator: no extension "apikeyauth/c" runs: add it under extensions and service::extensions`},
		"id of another kind":     {fakeHost{plain: one, id("health", "x"): other}, id("health", "x"), nil, `authenticator: extension "health/x" is not an apikeyauth extension: name one that is`},
		"id of no extension yet": {nil, plain, nil, `authenticator: no extension "apikeyauth" runs: add it under extensions and service::extensions`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := findAuthenticator(test.extensions, test.id)
			if test.err != "" {
				assert.EqualError(t, err, test.err)
				assert.Nil(t, got)
				return
			}
			assert.NoError(t, err)
			assert.Same(t, test.want, got)
		})
	}
}
