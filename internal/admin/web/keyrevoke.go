package web

import (
	"net/http"
	"net/url"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// revokePage is the data of the page on which a revocation is confirmed.
type revokePage struct {
	frame
	form
	Key keyView
	Own bool // the visitor is signed in with it
}

func (p *pages) confirmRevoke(w http.ResponseWriter, r *http.Request, found *client.GetKeyResponse) {
	p.showRevoke(w, r, http.StatusOK, found.JSON200, newForm(url.Values{}))
}

func (p *pages) showRevoke(w http.ResponseWriter, r *http.Request, status int, k *client.Key, f form) {
	p.render(w, r, status, "key-revoke", revokePage{
		frame: p.frame(r, "Revoke "+k.Name, kindOf(k).Section), form: p.shown(f),
		Key: p.keyView(r.Context(), p.people(), k), Own: visitorIn(r).KeyID == k.ID,
	})
}

// revokeKey ends a key for whoever has typed its name.
func (p *pages) revokeKey(w http.ResponseWriter, r *http.Request, found *client.GetKeyResponse) {
	f := formOf(r)
	k := found.JSON200
	if !confirmed(f, k.Name) {
		p.showRevoke(w, r, http.StatusBadRequest, k, f.refused(fieldProblem{"confirm", "must be the name of the key, as it is written above"}))
		return
	}
	answer, err := p.api.RevokeKeyWithResponse(r.Context(), k.ID, nil)
	if _, err = called(answer, err); err != nil {
		f.Problem = problemOf(err)
		p.showRevoke(w, r, f.Problem.Status, k, f)
		return
	}
	lead(w, r, keyPath(k.ID)+"?done=revoked")
}
