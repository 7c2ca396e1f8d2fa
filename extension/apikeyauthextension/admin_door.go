package apikeyauthextension

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/otlpgate/otlpgate/internal/admin"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// adminDoor is a gate as the admin API wants one.
type adminDoor struct{ gate *gate.Gate }

var _ admin.Door = adminDoor{}

func gateRequest(r *http.Request) gate.Request {
	return gate.Request{Headers: r.Header, Peer: peerFrom(r.Context())}
}

// Authenticate implements admin.Door.
func (d adminDoor) Authenticate(r *http.Request) (*identity.Admission, error) {
	return admitted(d.gate.Authenticate(r.Context(), gateRequest(r)))
}

// admitted returns what a gate says as an error is returned: a nil *Denial is an
// error that is not nil.
func admitted(a *identity.Admission, denial *identity.Denial) (*identity.Admission, error) {
	if denial != nil {
		return nil, denial
	}
	return a, nil
}

// Credential implements admin.Door.
func (d adminDoor) Credential(r *http.Request) credential.Secret {
	return d.gate.Credential(gateRequest(r))
}

// Judge implements admin.Door.
func (d adminDoor) Judge(ctx context.Context, key string) (*identity.Identity, *identity.Refusal) {
	return d.gate.Judge(ctx, key)
}

// ClientAddr implements admin.Door.
func (d adminDoor) ClientAddr(r *http.Request) netip.Addr { return d.gate.ClientAddr(gateRequest(r)) }
