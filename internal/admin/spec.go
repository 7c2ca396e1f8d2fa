package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"

	"github.com/otlpgate/otlpgate/internal/admin/api"
)

// spec is the OpenAPI document in its two uses: to validate requests and to be
// served. Immutable.
type spec struct {
	document *openapi3.T
	json     []byte
}

// loadSpec reads the embedded document. Version replaces the document's own,
// unless it is empty.
func loadSpec(version string) (*spec, error) {
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		return nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	if version != "" {
		document.Info.Version = version
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("check OpenAPI document: %w", err)
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encode OpenAPI document: %w", err)
	}
	return &spec{document: document, json: text}, nil
}

// route returns what the document says about a pattern of the mux, such as
// "GET /api/v1/api-keys/{id}"; nil where it says nothing.
func (s *spec) route(pattern string) *routers.Route {
	method, path, _ := strings.Cut(pattern, " ")
	path = strings.TrimPrefix(path, api.BasePath)
	item := s.document.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return nil
	}
	return &routers.Route{Spec: s.document, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)}
}

func (s *spec) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.json) // the caller is gone otherwise
}
