package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// grace is a choice of how long the old secret stays valid.
type grace struct{ Value, Title, Hint string }

var graces = []grace{
	{"24h", "24 hours", "Time to hand the new secret to everything that uses the key."},
	{"7d", "7 days", "For many senders, or slow deployments."},
	{"30d", "30 days", "For senders that others operate."},
	{"0", "None", "The old secret has leaked: everything that still uses it is refused at once."},
}

// rotatePage is the data of the page on which a rotation is confirmed.
type rotatePage struct {
	frame
	form
	Key    keyView
	Graces []grace
}

func (p *pages) confirmRotate(w http.ResponseWriter, r *http.Request, found *client.GetKeyResponse) {
	p.showRotate(w, r, http.StatusOK, found.JSON200, newForm(url.Values{"gracePeriod": {graces[0].Value}}))
}

func (p *pages) showRotate(w http.ResponseWriter, r *http.Request, status int, k *client.Key, f form) {
	p.render(w, r, status, "key-rotate", rotatePage{
		frame: p.frame(r, "Rotate "+k.Name, kindOf(k).Section), form: p.shown(f), Key: p.keyView(r.Context(), p.people(), k), Graces: graces,
	})
}

// rotateKey makes a new secret, once, and shows it.
func (p *pages) rotateKey(w http.ResponseWriter, r *http.Request, found *client.GetKeyResponse) {
	f := formOf(r)
	var made *client.RotateKeyResponse
	first, err := p.once(r.Context(), f, func(ctx context.Context) error {
		answer, err := p.api.RotateKeyWithResponse(ctx, found.JSON200.ID, nil, client.KeyRotate{GracePeriod: f.optional("gracePeriod")})
		made, err = called(answer, err)
		return err
	})
	switch {
	case !first:
		p.sentTwice(w, r, kindOf(found.JSON200))
	case err != nil:
		f.Problem = problemOf(err)
		p.showRotate(w, r, f.Problem.Status, found.JSON200, f)
	default:
		p.showSecret(w, r, made.JSON200, "rotated")
	}
}
