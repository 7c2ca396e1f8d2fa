package gate

import (
	"errors"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
)

var (
	refuseMissing = identity.NewRefusal(identity.NoCredential,
		"no API key: send it as `Authorization: Bearer <key>` or `x-api-key: <key>`")
	refuseConflict = identity.NewRefusal(identity.ConflictingKeys,
		"two different API keys in one request: send one, in one header")
	refuseScheme = identity.NewRefusal(identity.MalformedCredential,
		"unsupported authorization: send the API key as `Authorization: Bearer <key>`")
	refuseChecksum = identity.NewRefusal(identity.MalformedCredential,
		"malformed API key: its checksum is wrong, so it was mistyped or cut off; copy it again")
	refuseMalformed = identity.NewRefusal(identity.MalformedCredential,
		"malformed API key: it must be a whole key of this gate, such as px_live_ and 36 letters and digits; copy it again")
	refuseAddress = identity.NewRefusal(identity.AddressNotAllowed,
		"this API key may not be used from this address: ask its owner to add the address to its allowedIps")
)

// refuseCredential gives each defect of a credential its refusal.
func refuseCredential(err error) *identity.Refusal {
	switch {
	case errors.Is(err, credential.ErrMissing):
		return refuseMissing
	case errors.Is(err, credential.ErrConflict):
		return refuseConflict
	case errors.Is(err, credential.ErrScheme):
		return refuseScheme
	case errors.Is(err, credential.ErrChecksum):
		return refuseChecksum
	}
	return refuseMalformed
}
