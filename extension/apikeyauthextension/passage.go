package apikeyauthextension

import (
	"context"
	"strings"

	"go.opentelemetry.io/collector/client"

	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// admissionFrom returns the admission that this gate has already put into the
// context, nil where there is none.
func admissionFrom(ctx context.Context, g *gate.Gate) *identity.Admission {
	if a, ok := client.FromContext(ctx).Auth.(*identity.Admission); ok && a.IssuedBy(g) {
		return a
	}
	if t, ok := ctx.Value(tappedKey{}).(*tapped); ok && t.admission.IssuedBy(g) {
		return t.admission
	}
	return nil
}

type tappedKey struct{}

// tapped is what the tap handle lets in.
type tapped struct {
	admission *identity.Admission
	signal    identity.Signal
}

// withTapped keeps the tap handle's admission for the interceptors. Not in
// client.Info: the receiver's `auth:`, which comes between, may be another
// extension's, and puts its own there.
func withTapped(ctx context.Context, a *identity.Admission, signal identity.Signal) context.Context {
	return context.WithValue(ctx, tappedKey{}, &tapped{a, signal})
}

// withAdmission puts the admission into the request's client.Info, where the
// rest of the collector looks for it.
func withAdmission(ctx context.Context, a *identity.Admission, credentialHeaders []string) context.Context {
	info := client.FromContext(ctx)
	included := false // by the receiver's include_metadata
	for range info.Metadata.Keys() {
		included = true
		break
	}
	if included {
		info.Metadata = withIdentity(info.Metadata, a, credentialHeaders)
	} else if info.Auth == client.AuthData(a) {
		return ctx
	}
	info.Auth = a
	return client.NewContext(ctx, info)
}

// metadataPrefix begins the names of the identity in the metadata.
const metadataPrefix = "apikey."

// withIdentity returns the metadata of a request without the credential and
// with the key's identity, in place of whatever the sender claims. Metadata is
// what batching can be told to keep apart (`metadata_keys`), and what is left of
// the identity after it.
func withIdentity(md client.Metadata, a *identity.Admission, credentialHeaders []string) client.Metadata {
	kept := map[string][]string{}
	for key := range md.Keys() {
		if !strings.HasPrefix(key, metadataPrefix) {
			kept[key] = md.Get(key)
		}
	}
	for _, name := range credentialHeaders {
		delete(kept, name)
	}
	for _, name := range a.GetAttributeNames() {
		if value, _ := a.GetAttribute(name).(string); value != "" {
			kept[metadataPrefix+name] = []string{value}
		}
	}
	return client.NewMetadata(kept)
}
