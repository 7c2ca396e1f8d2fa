package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

// views are the templates of the pages by name, each with the frame around it.
var views = parseViews()

func parseViews() map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "templates/shared/*.html"))
	pages, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err)
	}
	parsed := map[string]*template.Template{}
	for _, entry := range pages {
		if name, ok := strings.CutSuffix(entry.Name(), ".html"); ok {
			view := template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, path.Join("templates", entry.Name())))
			parsed[name] = view
		}
	}
	return parsed
}

// frame is what every page has around its content.
type frame struct {
	Title   string
	Section string // of the navigation; empty: none of them
	Visitor Visitor
	Theme   string // empty: that of the system
	Here    string // the page's own path, to come back to
	Notice  string // what has just been done
}

// notices are what pages say when one is led to them, by the parameter done.
var notices = map[string]string{
	"updated":      "Saved. The change is in effect.",
	"revoked":      "Revoked. Every request with this key is refused from now on.",
	"user-created": "The user was created.",
	"user-updated": "Saved. The change is in effect.",
	"user-deleted": "The user was deleted, and every key of theirs has stopped.",
}

func (p *pages) frame(r *http.Request, title, section string) frame {
	return frame{
		Title: title, Section: section, Visitor: visitorIn(r), Theme: themeOf(r), Here: p.here(r),
		Notice: notices[r.URL.Query().Get("done")],
	}
}

// here is where one comes back to after a form that belongs to no page.
func (p *pages) here(r *http.Request) string {
	if r.Method != http.MethodGet {
		return home
	}
	query := r.URL.Query()
	if !query.Has("done") {
		return p.withoutSecret(r.URL.RequestURI())
	}
	query.Del("done")
	return p.withoutSecret(strings.TrimSuffix(r.URL.Path+"?"+query.Encode(), "?"))
}

// withoutSecret returns a path, and home for one with a key in it, which somebody
// has put into a search, say: no page may have it.
func (p *pages) withoutSecret(target string) string {
	if p.secrets.Finds(target) {
		return home
	}
	return target
}

// render answers with a page, or, where the page is broken, with no part of it.
func (p *pages) render(w http.ResponseWriter, r *http.Request, status int, view string, data any) {
	var page bytes.Buffer
	if err := views[view].ExecuteTemplate(&page, "page", data); err != nil {
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = page.WriteTo(w) // the person is gone otherwise
	}
}
