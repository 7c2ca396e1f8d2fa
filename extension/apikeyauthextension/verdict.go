package apikeyauthextension

import (
	"context"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// verdict is what a door decided on a request.
type verdict struct {
	admission *identity.Admission // nil where the credential was refused
	denial    *identity.Denial    // why it was
	refusal   *identity.Refusal   // nil where the request may pass
}

func verdictOf(a *identity.Admission, d *identity.Denial) verdict {
	return verdict{admission: a, denial: d, refusal: d.AsRefusal()}
}

// enter completes the verdict on the credential with the scope and the limits.
func (e *gateExtension) enter(ctx context.Context, v verdict, signal identity.Signal) verdict {
	if v.refusal == nil {
		v.refusal = e.gate.Authorize(v.admission, signal)
	}
	if v.refusal == nil {
		v.refusal = v.admission.Enter(ctx, signal.Traffic())
	}
	return v
}
