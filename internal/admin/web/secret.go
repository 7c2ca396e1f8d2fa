package web

import (
	"net"
	"net/http"
	"strings"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/snippet"
)

// secretPage is the data of the one page that shows a secret.
type secretPage struct {
	frame
	Key      keyView
	Secret   string
	Done     string // "created" or "rotated"
	Snippets []snippet.Snippet
	Endpoint string
}

// showSecret answers a form with the secret that it has made. It is in this answer
// and nowhere else: not in a session, and, since nothing may be cached, not in the
// browser's history.
func (p *pages) showSecret(w http.ResponseWriter, r *http.Request, k *client.Key, done string) {
	page := secretPage{
		frame: p.frame(r, "Copy the key", kindOf(k).Section), Key: p.keyView(r.Context(), p.people(), k),
		Secret: value(k.Key), Done: done, Endpoint: endpointFor(r),
	}
	page.Key.Key.Key = nil
	endpoint, err := snippet.ParseEndpoint(page.Endpoint)
	if err != nil { // of a Host that is none
		page.Endpoint = snippet.DefaultEndpoint
		endpoint, _ = snippet.ParseEndpoint(page.Endpoint)
	}
	page.Snippets = snippet.Settings{
		Endpoint: endpoint, Key: page.Secret, Scopes: scopeSet(k.Scopes), Projects: k.Projects,
	}.Snippets()
	p.render(w, r, http.StatusCreated, "secret", page)
}

// endpointFor guesses where telemetry is sent: to the host of the pages, at the
// usual port.
func endpointFor(r *http.Request) string {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return "http://" + net.JoinHostPort(strings.Trim(host, "[]"), "4318")
}
