package storetest

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/otlpgate/otlpgate/internal/store"
)

// memory is the contract written as simply as it can be, to compare backends
// with.
type memory struct {
	mu     sync.Mutex
	closed bool
	keys   map[string]store.Key
	users  map[string]store.User
	audit  []store.Audit
	uses   map[string]map[store.SecretRef]store.Use // by key id

	replies map[store.Digest]memoryReply
}

// NewMemory returns an empty store.Store that keeps its records in memory. It
// is for tests: every call looks at every record.
func NewMemory() store.Store {
	return &memory{
		keys: map[string]store.Key{}, users: map[string]store.User{}, uses: map[string]map[store.SecretRef]store.Use{},
		replies: map[store.Digest]memoryReply{},
	}
}

// locked runs f with the lock held unless the context has ended or the store is
// closed.
func (m *memory) locked(ctx context.Context, operation string, f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := ctx.Err()
	if err == nil && m.closed {
		err = store.ErrClosed
	}
	if err == nil {
		err = f()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

// record numbers a change, after the last that can fail: the context, the audit
// record.
func (m *memory) record(ctx context.Context, audit store.Audit) (uint64, error) {
	var head store.Digest
	if n := len(m.audit); n > 0 {
		head = m.audit[n-1].Hash
	}
	audit.Seq = uint64(len(m.audit)) + 1
	audit, err := audit.Normal()
	if err == nil {
		audit, err = audit.Sealed(head)
	}
	if err == nil {
		err = store.Check(ctx)
	}
	if err != nil {
		return 0, err
	}
	m.audit = append(m.audit, audit)
	return audit.Seq, nil
}

// recordOf is record for the change of the record with that id.
func (m *memory) recordOf(ctx context.Context, id string, audit store.Audit) (uint64, error) {
	audit.Target = id
	return m.record(ctx, audit)
}

func copyKey(k store.Key) store.Key {
	k, _ = k.Normal()
	return k
}

func (m *memory) digestTaken(k store.Key) bool {
	for _, other := range m.keys {
		for _, s := range k.Secrets {
			if _, taken := other.Secret(s.Digest); taken && other.ID != k.ID {
				return true
			}
		}
	}
	return false
}

func (m *memory) CreateKey(ctx context.Context, key store.Key, audit store.Audit) (store.Key, error) {
	err := m.locked(ctx, "create key", func() (err error) {
		if key, err = key.Normal(); err != nil {
			return err
		}
		if _, taken := m.keys[key.ID]; taken || m.digestTaken(key) {
			return store.ErrExists
		}
		if key.Revision, err = m.recordOf(ctx, key.ID, audit); err == nil {
			m.keys[key.ID] = copyKey(key)
		}
		return err
	})
	return key, err
}

func (m *memory) UpdateKey(ctx context.Context, id string, edit func(*store.Key) (store.Audit, error)) (store.Key, error) {
	var key store.Key
	var refused error
	err := m.locked(ctx, "update key", func() (err error) {
		old, ok := m.keys[id]
		if !ok {
			return store.ErrNotFound
		}
		key = copyKey(old)
		audit, err := edit(&key)
		if refused = err; err != nil {
			return err
		}
		if key, err = key.Normal(); err != nil {
			return err
		}
		if key.ID != id || !key.CreatedAt.Equal(old.CreatedAt) {
			return store.ErrInvalid
		}
		if m.digestTaken(key) {
			return store.ErrExists
		}
		if key.Revision, err = m.recordOf(ctx, key.ID, audit); err == nil {
			m.keys[id] = copyKey(key)
			m.forgetUses(old, key)
		}
		return err
	})
	if refused != nil {
		return key, refused
	}
	return key, err
}

func (m *memory) Key(ctx context.Context, id string) (key store.Key, err error) {
	err = m.locked(ctx, "read key", func() error {
		k, ok := m.keys[id]
		if !ok {
			return store.ErrNotFound
		}
		key = copyKey(k)
		return nil
	})
	return key, err
}

func (m *memory) KeyByDigest(ctx context.Context, digest store.Digest) (key store.Key, err error) {
	err = m.locked(ctx, "read key by digest", func() error {
		for _, k := range m.keys {
			if _, ok := k.Secret(digest); ok {
				key = copyKey(k)
				return nil
			}
		}
		return store.ErrNotFound
	})
	return key, err
}

func (m *memory) ListKeys(ctx context.Context, filter store.KeyFilter, page store.Page) (result store.KeyPage, err error) {
	err = m.locked(ctx, "list keys", func() (err error) {
		var keys []store.Key
		for _, k := range m.keys {
			keys = append(keys, copyKey(k))
		}
		matches := func(k store.Key) bool {
			var owner *store.User
			if u, ok := m.users[k.OwnerID]; ok {
				owner = &u
			}
			return filter.Matches(&k, owner)
		}
		slices.SortFunc(keys, newestFirst)
		name := fmt.Sprintf("keys %q", []string{string(filter.Status), string(filter.Type), filter.OwnerID, strconv.FormatBool(filter.Declared), filter.Query})
		result.Keys, result.Next, err = cut(keys, page, name, matches, func(k store.Key) string { return invert(age(k.CreatedAt.UnixMicro(), k.ID)) })
		return err
	})
	return result, err
}

func (m *memory) emailTaken(u store.User) bool {
	if u.Email == "" || !u.DeletedAt.IsZero() {
		return false
	}
	for _, other := range m.users {
		if other.ID != u.ID && other.DeletedAt.IsZero() && store.EmailKey(other.Email) == store.EmailKey(u.Email) {
			return true
		}
	}
	return false
}

func (m *memory) CreateUser(ctx context.Context, user store.User, audit store.Audit) (store.User, error) {
	err := m.locked(ctx, "create user", func() (err error) {
		if user, err = user.Normal(); err != nil {
			return err
		}
		if _, taken := m.users[user.ID]; taken || m.emailTaken(user) {
			return store.ErrExists
		}
		if user.Revision, err = m.recordOf(ctx, user.ID, audit); err == nil {
			m.users[user.ID] = user
		}
		return err
	})
	return user, err
}

func (m *memory) UpdateUser(ctx context.Context, id string, edit func(*store.User) (store.Audit, error)) (store.User, error) {
	var user store.User
	var refused error
	err := m.locked(ctx, "update user", func() (err error) {
		old, ok := m.users[id]
		if !ok {
			return store.ErrNotFound
		}
		user = old
		audit, err := edit(&user)
		if refused = err; err != nil {
			return err
		}
		if user, err = user.Normal(); err != nil {
			return err
		}
		if user.ID != id || !user.CreatedAt.Equal(old.CreatedAt) {
			return store.ErrInvalid
		}
		if m.emailTaken(user) {
			return store.ErrExists
		}
		if user.Revision, err = m.recordOf(ctx, user.ID, audit); err == nil {
			m.users[id] = user
		}
		return err
	})
	if refused != nil {
		return user, refused
	}
	return user, err
}

func (m *memory) User(ctx context.Context, id string) (user store.User, err error) {
	err = m.locked(ctx, "read user", func() error {
		var ok bool
		if user, ok = m.users[id]; !ok {
			return store.ErrNotFound
		}
		return nil
	})
	return user, err
}

func (m *memory) UserByEmail(ctx context.Context, email string) (user store.User, err error) {
	err = m.locked(ctx, "read user by email", func() error {
		for _, u := range m.users {
			if email != "" && u.DeletedAt.IsZero() && store.EmailKey(u.Email) == store.EmailKey(email) {
				user = u
				return nil
			}
		}
		return store.ErrNotFound
	})
	return user, err
}

func (m *memory) ListUsers(ctx context.Context, filter store.UserFilter, page store.Page) (result store.UserPage, err error) {
	err = m.locked(ctx, "list users", func() (err error) {
		users := slices.Collect(maps.Values(m.users))
		matches := func(u store.User) bool { return u.DeletedAt.IsZero() && filter.Matches(&u) }
		place := func(u store.User) string { return age(u.CreatedAt.UnixMicro(), u.ID) }
		slices.SortFunc(users, func(a, b store.User) int { return strings.Compare(place(a), place(b)) })
		active := "any"
		if filter.Active != nil {
			active = strconv.FormatBool(*filter.Active)
		}
		name := fmt.Sprintf("users %q %s %t %q", filter.Role, active, filter.Declared, filter.Query)
		result.Users, result.Next, err = cut(users, page, name, matches, place)
		return err
	})
	return result, err
}

func (m *memory) AppendAudit(ctx context.Context, audit store.Audit) (appended store.Audit, err error) {
	err = m.locked(ctx, "append audit record", func() error {
		seq, err := m.record(ctx, audit)
		if err == nil {
			appended, err = m.audit[seq-1].Normal()
		}
		return err
	})
	return appended, err
}

func (m *memory) ListAudit(ctx context.Context, filter store.AuditFilter, page store.Page) (result store.AuditPage, err error) {
	err = m.locked(ctx, "list audit records", func() (err error) {
		var records []store.Audit
		for _, a := range slices.Backward(m.audit) {
			a, _ = a.Normal()
			records = append(records, a)
		}
		matches := func(a store.Audit) bool { return filter.Matches(&a) }
		name := fmt.Sprintf("audit %q %q %q %q %d %d", filter.Target, filter.Action, filter.Actor, filter.Outcome, filter.From.UnixMicro(), filter.To.UnixMicro())
		result.Records, result.Next, err = cut(records, page, name, matches, func(a store.Audit) string { return fmt.Sprintf("%020d", ^a.Seq) })
		return err
	})
	return result, err
}

func (m *memory) KeepUses(ctx context.Context, uses []store.Use) error {
	return m.locked(ctx, "keep last uses", func() (refused error) {
		for _, u := range uses {
			if len(u.KeyID) > 255 {
				refused = store.ErrInvalid
				continue
			}
			u.At = u.At.UTC().Truncate(time.Microsecond)
			if kept, ok := m.uses[u.KeyID][u.Secret]; ok && kept.At.After(u.At) {
				continue
			}
			if m.uses[u.KeyID] == nil {
				m.uses[u.KeyID] = map[store.SecretRef]store.Use{}
			}
			m.uses[u.KeyID][u.Secret] = u
		}
		return refused
	})
}

func (m *memory) LastUses(ctx context.Context, keyID string) (uses []store.Use, err error) {
	err = m.locked(ctx, "read last uses", func() error {
		uses = slices.AppendSeq(uses, maps.Values(m.uses[keyID]))
		return nil
	})
	return uses, err
}

func (m *memory) AllUses(ctx context.Context) iter.Seq2[store.Use, error] {
	return func(yield func(store.Use, error) bool) {
		err := m.locked(ctx, "read all last uses", func() error {
			for _, uses := range m.uses {
				for _, u := range uses {
					if !yield(u, nil) {
						return nil
					}
				}
			}
			return nil
		})
		if err != nil {
			yield(store.Use{}, err)
		}
	}
}

// forgetUses drops those of the secrets that a key has given up.
func (m *memory) forgetUses(old, key store.Key) {
	for _, s := range old.Secrets {
		if _, kept := key.Secret(s.Digest); !kept {
			delete(m.uses[key.ID], s.Digest.Ref())
		}
	}
}

type memoryReply struct {
	sealed []byte
	end    time.Time
}

func (m *memory) KeepReply(ctx context.Context, digest store.Digest, sealed []byte, lifetime time.Duration) error {
	return m.locked(ctx, "keep reply", func() error {
		m.replies[digest] = memoryReply{slices.Clone(sealed), time.Now().Add(lifetime)}
		return nil
	})
}

func (m *memory) Reply(ctx context.Context, digest store.Digest) (sealed []byte, err error) {
	err = m.locked(ctx, "read reply", func() error {
		r, ok := m.replies[digest]
		if !ok || !time.Now().Before(r.end) {
			return store.ErrNotFound
		}
		sealed = slices.Clone(r.sealed)
		return nil
	})
	return sealed, err
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// age sorts as creation time, then id. Times before 1970 are no concern of tests.
func age(micros int64, id string) string { return fmt.Sprintf("%020d", max(micros, 0)) + id }

// invert reverses the order of texts.
func invert(text string) string {
	inverted := []byte(text + "\x00")
	for i := range inverted {
		inverted[i] = ^inverted[i]
	}
	return string(inverted)
}

// cut returns the page of those of records, sorted by place, that match, whose
// cursor is made of the listing's name and the last place.
func cut[T any](records []T, page store.Page, name string, matches func(T) bool, place func(T) string) (cut []T, next string, err error) {
	after, err := placeOf(page.Cursor, name)
	if err != nil {
		return nil, "", err
	}
	var looked int
	var seen, last string
	for _, r := range records {
		if after != "" && place(r) <= after {
			continue
		}
		if page.Scan > 0 && looked == page.Scan {
			return cut, cursorAt(name, seen), nil
		}
		looked, seen = looked+1, place(r)
		if !matches(r) {
			continue
		}
		if len(cut) == page.Size() {
			return cut, cursorAt(name, last), nil
		}
		cut, last = append(cut, r), seen
	}
	return cut, "", nil
}

func cursorAt(name, place string) string {
	body := name + "\n" + place
	return base64.RawURLEncoding.EncodeToString([]byte(body + checkDigit(body)))
}

func placeOf(cursor, name string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(text) < 8 {
		return "", store.ErrBadCursor
	}
	body, check := string(text[:len(text)-8]), string(text[len(text)-8:])
	place, ok := strings.CutPrefix(body, name+"\n")
	if !ok || checkDigit(body) != check {
		return "", store.ErrBadCursor
	}
	return place, nil
}
