package gate

import (
	"errors"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
)

var refuseAddress = identity.NewRefusal(identity.AddressNotAllowed,
	"this API key may not be used from this address: ask its owner to add the address to its allowedIps")

// refuseCredential answers with what the credential package says: it knows the
// configured headers and prefix, and repeats nothing of what was sent.
func refuseCredential(err error) *identity.Refusal {
	return identity.NewRefusal(reasonOf(err), err.Error())
}

func reasonOf(err error) identity.Reason {
	switch {
	case errors.Is(err, credential.ErrMissing):
		return identity.NoCredential
	case errors.Is(err, credential.ErrConflict):
		return identity.ConflictingKeys
	}
	return identity.MalformedCredential
}
