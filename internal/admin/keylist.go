package admin

import (
	"context"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/catalog"
	"github.com/otlpgate/otlpgate/internal/store"
)

// ListKeys implements api.StrictServerInterface.
func (s *service) ListKeys(ctx context.Context, request api.ListKeysRequestObject) (api.ListKeysResponseObject, error) {
	c, now := callerIn(ctx), s.now()
	if err := mayManageKeys(c); err != nil {
		return nil, err
	}
	p := request.Params
	filter, some := narrowFilter(c, catalog.Filter{
		Status: value(p.Status), Type: value(p.Type), Environment: value(p.Environment), OwnerID: value(p.OwnerID),
		Plan: value(p.Plan), DefaultPlan: s.plans.Default(), Query: value(p.Q), Now: now,
	})
	if !some {
		return api.ListKeys200JSONResponse{Data: []api.Key{}}, nil
	}
	page, err := s.catalog.List(ctx, catalog.Listing{
		Filter: filter, Sort: value(p.Sort), Page: store.Page{Limit: value(p.Limit), Cursor: value(p.Cursor)},
	})
	if err != nil {
		return nil, fromStore("list keys", err)
	}
	list := api.ListKeys200JSONResponse{
		Total: page.Total, Offset: page.Offset, NextCursor: orNull(page.Next), PrevCursor: orNull(page.Previous),
	}
	list.Data, err = s.listedKeys(ctx, page.IDs, filter, now)
	return list, err
}

// listedKeys returns those keys of a page that pass the filter still: the page is
// of a moment ago.
func (s *service) listedKeys(ctx context.Context, ids []string, filter catalog.Filter, now time.Time) ([]api.Key, error) {
	views := make([]api.Key, 0, len(ids))
	owners := map[string]*store.User{}
	for _, id := range ids {
		key, err := s.store.Key(ctx, id)
		if err != nil {
			return nil, fromStore("list keys", err)
		}
		owner, err := s.cachedOwner(ctx, owners, &key)
		if err != nil {
			return nil, err
		}
		if filter.Matches(&key, owner) {
			views = append(views, s.viewWithUses(ctx, &key, owner, now))
		}
	}
	return views, nil
}

// cachedOwner reads each owner of a page once.
func (s *service) cachedOwner(ctx context.Context, known map[string]*store.User, k *store.Key) (*store.User, error) {
	if owner, ok := known[k.OwnerID]; ok {
		return owner, nil
	}
	owner, err := s.owner(ctx, k)
	if err == nil {
		known[k.OwnerID] = owner
	}
	return owner, err
}
