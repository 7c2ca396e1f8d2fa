package apikeyprocessor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// authenticator is the part of the apikeyauth extension that the processor
// needs.
type authenticator interface {
	// Issued reports whether the extension let the request in.
	Issued(*identity.Admission) bool
	// RegisterProcessor tells the extension that a processor is behind it.
	RegisterProcessor()
}

// findAuthenticator returns the extension with that id, or for the zero id the
// only one of its kind.
func findAuthenticator(extensions map[component.ID]component.Component, id component.ID) (authenticator, error) {
	if id != (component.ID{}) {
		return authenticatorWithID(extensions, id)
	}
	var found authenticator
	var ids []string
	for candidate, extension := range extensions {
		if a, ok := extension.(authenticator); ok {
			found = a
			ids = append(ids, candidate.String())
		}
	}
	slices.Sort(ids)
	switch len(ids) {
	case 0:
		return nil, errors.New("authenticator: no apikeyauth extension runs: add it under extensions and service::extensions")
	case 1:
		return found, nil
	}
	return nil, fmt.Errorf("authenticator: several apikeyauth extensions run (%s): set authenticator to one of them", strings.Join(ids, ", "))
}

func authenticatorWithID(extensions map[component.ID]component.Component, id component.ID) (authenticator, error) {
	extension, ok := extensions[id]
	if !ok {
		return nil, fmt.Errorf("authenticator: no extension %q runs: add it under extensions and service::extensions", id)
	}
	a, ok := extension.(authenticator)
	if !ok {
		return nil, fmt.Errorf("authenticator: extension %q is not an apikeyauth extension: name one that is", id)
	}
	return a, nil
}
