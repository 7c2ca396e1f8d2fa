package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/provision"
	"github.com/otlpgate/otlpgate/internal/store"
)

const (
	applyPattern = "POST " + api.BasePath + "/apply"
	// applyTimeout is for the answer to a large document, each record of which is
	// synced to disk. The write timeout of the server is for usual answers.
	applyTimeout = 10 * time.Minute
)

// awaitApply gives the answer to a document the time that it takes.
func awaitApply(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(applyTimeout)) // not all writers have deadlines
}

// ApplyDeclaration implements api.StrictServerInterface.
func (s *service) ApplyDeclaration(ctx context.Context, request api.ApplyDeclarationRequestObject) (api.ApplyDeclarationResponseObject, error) {
	c := callerIn(ctx)
	if err := mayAdminister(c, "declare users and keys"); err != nil {
		return nil, err
	}
	records, err := request.Body.Records(s.plans)
	if err != nil {
		return nil, problemDeclaration(err)
	}
	dryRun := value(request.Params.DryRun)
	s.applying.Lock()
	defer s.applying.Unlock()
	result, err := provision.Reconcile(ctx, s.store, records, provision.Options{
		Source: provision.Applied, Actor: c.actor(), Now: s.now(), DryRun: dryRun,
	})
	if err != nil {
		return nil, problemDeclaration(err)
	}
	return api.ApplyDeclaration200JSONResponse{
		DryRun: dryRun, Changes: appliedChanges(result.Changes), Unchanged: result.Unchanged, Kept: orEmpty(result.Kept),
	}, nil
}

// problemDeclaration names the rules that a document breaks. A conflict with a
// record that no document declares is none of them: the document may be right.
func problemDeclaration(err error) error {
	broken := declaration.Errors(err)
	if len(broken) == 0 {
		return fromStore("apply a document", err)
	}
	fields := make([]api.FieldError, len(broken))
	conflict := false
	for i, e := range broken {
		fields[i] = fieldError(e.Pointer(), e.Rule)
		conflict = conflict || e.Conflict
	}
	p := problemFields(fields)
	if conflict {
		p.code, p.status = codeDeclaration, statusOf[codeDeclaration]
		p.detail = "the document collides with what is there: see errors; applying it again completes what was begun"
	}
	return p
}

func appliedChanges(changes []provision.Change) []api.AppliedChange {
	applied := make([]api.AppliedChange, len(changes))
	for i, c := range changes {
		applied[i] = api.AppliedChange{
			Kind: api.AppliedChangeKind(c.Kind), ID: c.ID, Name: c.Name, Action: api.AppliedChangeAction(c.Action),
			Fields: make(map[string]store.ChangeView, len(c.Fields)),
		}
		for field, change := range c.Fields {
			applied[i].Fields[field] = store.ChangeView(change)
		}
	}
	return applied
}
