package badgerstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/cursor"
)

// ListKeys implements store.Keys. Of owner, state and age it walks the index
// that leaves the fewest keys to look at.
func (s *Store) ListKeys(ctx context.Context, filter store.KeyFilter, page store.Page) (store.KeyPage, error) {
	l := cursor.Of("keys", string(filter.Status), string(filter.Type), filter.OwnerID, strconv.FormatBool(filter.Declared), filter.Query)
	keys, next, err := list(ctx, s, l, page, scan{prefix: keyIndex(filter), newest: true}, func(v *snapshot) load[store.Key] {
		owners := owners{v, map[string]*store.User{}}
		return func(at []byte) (store.Key, bool, error) { return v.listedKey(at, filter, owners) }
	})
	if err != nil {
		return store.KeyPage{}, fmt.Errorf("list keys: %w", err)
	}
	return store.KeyPage{Keys: keys, Next: next}, nil
}

func keyIndex(f store.KeyFilter) []byte {
	switch {
	case f.OwnerID != "":
		return ownerPrefix(f.OwnerID)
	case f.Status == store.Revoked:
		return statePrefix(stateRevoked)
	case f.Status != "":
		return statePrefix(stateLive)
	}
	return []byte{createdFamily}
}

// listedKey returns the key that an index entry names, if it passes the filter.
// A stale entry is no damage: the filter looks at the key.
func (v *snapshot) listedKey(at []byte, filter store.KeyFilter, owners owners) (store.Key, bool, error) {
	id := string(at[positionLength:])
	key, err := v.key(id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Key{}, false, v.damaged(keyKey(id), errors.New("is missing, but is listed"))
	} else if err != nil {
		return store.Key{}, false, err
	}
	owner, err := owners.of(&key)
	if err != nil {
		return store.Key{}, false, err
	}
	return key, filter.Matches(&key, owner), nil
}

// owners remembers the owners met during one listing.
type owners struct {
	*snapshot
	known map[string]*store.User // nil: there is no such user
}

func (o owners) of(k *store.Key) (*store.User, error) {
	if k.OwnerID == "" {
		return nil, nil
	}
	if owner, ok := o.known[k.OwnerID]; ok {
		return owner, nil
	}
	var owner *store.User
	switch u, err := o.user(k.OwnerID); {
	case err == nil:
		owner = &u
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	o.known[k.OwnerID] = owner
	return owner, nil
}

// ListUsers implements store.Users.
func (s *Store) ListUsers(ctx context.Context, filter store.UserFilter, page store.Page) (store.UserPage, error) {
	l := cursor.Of("users", string(filter.Role), choice(filter.Active), strconv.FormatBool(filter.Declared), filter.Query)
	users, next, err := list(ctx, s, l, page, scan{prefix: []byte{userAgeFamily}}, func(v *snapshot) load[store.User] {
		return func(at []byte) (store.User, bool, error) {
			user, err := v.user(string(at[positionLength:]))
			return user, user.DeletedAt.IsZero() && filter.Matches(&user), err
		}
	})
	if err != nil {
		return store.UserPage{}, fmt.Errorf("list users: %w", err)
	}
	return store.UserPage{Users: users, Next: next}, nil
}

// ListAudit implements store.AuditLog.
func (s *Store) ListAudit(ctx context.Context, filter store.AuditFilter, page store.Page) (store.AuditPage, error) {
	l := cursor.Of("audit", filter.Target, filter.Action, filter.Actor, string(filter.Outcome), instant(filter.From), instant(filter.To))
	prefix := []byte{auditFamily}
	if filter.Target != "" {
		prefix = targetPrefix(filter.Target)
	}
	records, next, err := list(ctx, s, l, page, scan{prefix: prefix, newest: true}, func(v *snapshot) load[store.Audit] {
		return func(at []byte) (store.Audit, bool, error) {
			var record store.Audit
			err := found(v.record(auditKey(binary.BigEndian.Uint64(at)), &record))
			return record, filter.Matches(&record), err
		}
	})
	if err != nil {
		return store.AuditPage{}, fmt.Errorf("list audit records: %w", err)
	}
	return store.AuditPage{Records: records, Next: next}, nil
}

// choice is the text of a filter that may be unset.
func choice(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

func instant(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 36) }

// load returns the record at a position and whether it belongs to the listing.
type load[T any] func(at []byte) (T, bool, error)

// list returns a page and the cursor of the next, which there is if one more
// record belongs to the listing, or may do behind those that page.Scan allows.
func list[T any](ctx context.Context, s *Store, l cursor.Listing, page store.Page, w scan, loader func(*snapshot) load[T],
) (records []T, next string, err error) {
	if w.after, err = l.Position(page.Cursor, positionLength); err != nil {
		return nil, "", err
	}
	err = s.view(ctx, func(v *snapshot) error {
		load, last, seen, looked := loader(v), []byte(nil), []byte(nil), 0
		return v.walk(ctx, w, func(at, _ []byte) (bool, error) {
			if page.Scan > 0 && looked == page.Scan {
				next = l.At(seen)
				return false, nil
			}
			seen, looked = at, looked+1
			record, ok, err := load(at)
			if err != nil || !ok {
				return true, err
			}
			if len(records) == page.Size() {
				next = l.At(last)
				return false, nil
			}
			records, last = append(records, record), at
			return true, nil
		})
	})
	return records, next, err
}
