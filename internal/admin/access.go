package admin

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/store"
)

// ListAccess implements api.StrictServerInterface.
func (s *service) ListAccess(ctx context.Context, request api.ListAccessRequestObject) (api.ListAccessResponseObject, error) {
	p := request.Params
	keys, err := s.ownKeys(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.listAccess(ctx, accesslog.Filter{
		Keys: keys, Viewer: callerIn(ctx).OwnerID, Type: string(value(p.Type)), Outcome: access.Outcome(value(p.Outcome)), Endpoint: value(p.Endpoint),
		From: value(p.From), To: value(p.To),
	}, store.Page{Limit: value(p.Limit), Cursor: value(p.Cursor), Scan: value(p.Scan)})
	if err != nil {
		return nil, err
	}
	return api.ListAccess200JSONResponse(list), nil
}

// ListKeyAccess implements api.StrictServerInterface.
func (s *service) ListKeyAccess(ctx context.Context, request api.ListKeyAccessRequestObject) (api.ListKeyAccessResponseObject, error) {
	if _, _, err := s.visibleKey(ctx, request.ID); err != nil {
		return nil, err
	}
	p := request.Params
	list, err := s.listAccess(ctx, accesslog.Filter{
		KeyID: request.ID, Secret: secretOf(p.Secret), Outcome: access.Outcome(value(p.Outcome)), Endpoint: value(p.Endpoint),
		From: value(p.From), To: value(p.To),
	}, store.Page{Limit: value(p.Limit), Cursor: value(p.Cursor), Scan: value(p.Scan)})
	if err != nil {
		return nil, err
	}
	return api.ListKeyAccess200JSONResponse(list), nil
}

// secretOf reads the id of a secret, which the document has checked; nil is any.
func secretOf(id *string) *[8]byte {
	var ref [8]byte
	if id == nil {
		return nil
	}
	_, _ = hex.Decode(ref[:], []byte(*id))
	return &ref
}

// ownKeys returns the ids of the keys that the caller sees, nil where it sees
// all.
func (s *service) ownKeys(ctx context.Context) (map[string]bool, error) {
	c := callerIn(ctx)
	if err := mayManageKeys(c); err != nil {
		return nil, err
	}
	if c.admin() {
		return nil, nil
	}
	own := map[string]bool{}
	for key, err := range store.AllKeys(ctx, s.store, store.KeyFilter{OwnerID: c.OwnerID}) {
		if err != nil {
			return nil, fromStore("list keys", err)
		}
		own[key.ID] = true
	}
	return own, nil
}

func (s *service) listAccess(ctx context.Context, f accesslog.Filter, p store.Page) (api.AccessList, error) {
	if s.accessLog == nil {
		return api.AccessList{}, problemNoInsight()
	}
	page, err := s.accessLog.List(ctx, f, p)
	if err != nil {
		return api.AccessList{}, fromInsight("list access log", err)
	}
	list := api.AccessList{Data: make([]api.AccessRecord, 0, len(page.Entries)), NextCursor: orNull(page.Next), Dropped: s.accessLog.Dropped()}
	keys := map[string]*store.Key{}
	for i := range page.Entries {
		e := &page.Entries[i]
		key, err := s.cachedKey(ctx, keys, e.KeyID)
		if err != nil {
			return api.AccessList{}, err
		}
		list.Data = append(list.Data, accessView(e, key))
	}
	return list, nil
}

// cachedKey reads each key of a page once; nil is one that is not there.
func (s *service) cachedKey(ctx context.Context, known map[string]*store.Key, id string) (*store.Key, error) {
	if id == "" {
		return nil, nil
	}
	if key, ok := known[id]; ok {
		return key, nil
	}
	key, err := s.store.Key(ctx, id)
	if errors.Is(err, store.ErrNotFound) { // restored from a backup of before
		known[id] = nil
		return nil, nil
	}
	if err != nil {
		return nil, fromStore("read key", err)
	}
	known[id] = &key
	return &key, nil
}

func accessView(e *accesslog.Entry, key *store.Key) api.AccessRecord {
	view := api.AccessRecord{
		ID: e.ID, Time: e.Time, Counted: e.Counted, KeyID: orNull(e.KeyID), KeyType: api.AccessKeyType(e.KeyType),
		Hint: orNull(e.Hint), Endpoint: e.Endpoint, Transport: api.AccessRecordTransport(e.Transport),
		Outcome: api.AccessOutcome(e.Outcome), Reason: orNull(e.Reason), Status: e.Status,
		Requests: e.Requests, Items: e.Items, RefusedItems: e.RefusedItems, Bytes: e.Bytes,
		DurationMs: float64(e.Duration) / float64(time.Millisecond) / float64(max(e.Requests, 1)),
		Country:    orNull(e.Country), UserAgent: orNull(e.UserAgent),
	}
	if e.KeyID == "" {
		view.KeyType = api.AccessKeyTypeNone
	} else {
		secret := hex.EncodeToString(e.Secret[:])
		view.Secret = &secret
	}
	if e.Address.IsValid() {
		address := e.Address.String()
		view.Address = &address
	}
	if key == nil {
		return view
	}
	view.KeyName = &key.Name
	for _, secret := range key.Secrets {
		if secret.Digest.Ref() == e.Secret {
			view.Hint = orNull(secret.Hint)
		}
	}
	return view
}
