package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// audit returns the record of a change to a key by the caller. Before is nil
// for a new key.
func (c caller) audit(action string, at time.Time, before, after *store.Key) store.Audit {
	return store.Audit{Time: at, Actor: c.actor(), Action: action, Target: after.ID, Changes: audit.KeyChanges(before, after)}
}

// auditUser is audit for users.
func (c caller) auditUser(action string, at time.Time, before, after *store.User) store.Audit {
	return store.Audit{Time: at, Actor: c.actor(), Action: action, Target: after.ID, Changes: audit.UserChanges(before, after)}
}

// actor describes the caller; without an identity by the address alone.
func (c caller) actor() store.Actor {
	var actor store.Actor
	if c.Identity != nil {
		actor.KeyID, actor.UserID = c.KeyID, c.OwnerID
	}
	if c.address.IsValid() {
		actor.Address = c.address.String()
	}
	return actor
}

// creator returns who stands for what the caller makes: its user, or the
// system key itself.
func (c caller) creator() string {
	if c.KeyType == identity.UserKey {
		return c.OwnerID
	}
	return c.KeyID
}

// ListAudit implements api.StrictServerInterface.
func (s *service) ListAudit(ctx context.Context, request api.ListAuditRequestObject) (api.ListAuditResponseObject, error) {
	p := request.Params
	if err := s.mayReadAudit(ctx, value(p.Target)); err != nil {
		return nil, err
	}
	filter := store.AuditFilter{
		Target: value(p.Target), Actor: value(p.Actor), Action: value(p.Action), Outcome: value(p.Outcome),
		From: value(p.From), To: value(p.To),
	}
	page, err := s.store.ListAudit(ctx, filter, store.Page{Limit: value(p.Limit), Cursor: value(p.Cursor), Scan: value(p.Scan)})
	if err != nil {
		return nil, fromStore("list audit records", err)
	}
	list := api.ListAudit200JSONResponse{Data: make([]api.AuditRecord, 0, len(page.Records)), NextCursor: orNull(page.Next)}
	for i := range page.Records {
		list.Data = append(list.Data, page.Records[i].View())
	}
	return list, nil
}

// mayReadAudit refuses all but administrators, and those who ask for what was done
// to a key that is theirs to see.
func (s *service) mayReadAudit(ctx context.Context, target string) error {
	refusal := mayAdminister(callerIn(ctx), "read the audit log beyond that of one of its own keys")
	if refusal == nil || target == "" {
		return refusal
	}
	_, _, err := s.visibleKey(ctx, target)
	if err != nil && problemOf(err).status < http.StatusInternalServerError {
		return refusal
	}
	return err
}
