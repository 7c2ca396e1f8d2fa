package web

import (
	"context"
	"net/http"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// people are the names of users by their ids, as far as pages have asked for them.
type people struct {
	api   *apiClient
	known map[string]client.User
}

func (p *pages) people() *people { return &people{p.api, map[string]client.User{}} }

// of returns a user. Of one that is deleted, or that the visitor may not see, only
// the id is known; to ask after others would be on the visitor's record.
func (p *people) of(ctx context.Context, id string) client.User {
	if user, ok := p.known[id]; ok {
		return user
	}
	user := client.User{ID: id, Name: id}
	if visitor := visitorOf(ctx); visitor.Admin || visitor.UserID == id {
		if answer, err := p.api.GetUserWithResponse(ctx, id); err == nil && answer.StatusCode() == http.StatusOK {
			user = *answer.JSON200
		}
	}
	p.known[id] = user
	return user
}

// path is the page of a user or key, empty where the visitor has none: of a user who
// is deleted, and, but for administrators, of keys, which may be others'.
func (p *people) path(ctx context.Context, id string) string {
	visitor := visitorOf(ctx)
	switch {
	case id == "":
		return ""
	case isKeyID(id) && visitor.Admin:
		return keyPath(id)
	case isKeyID(id), p.of(ctx, id).CreatedAt.IsZero():
		return ""
	}
	return userPath(id)
}
