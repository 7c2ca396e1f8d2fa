package provision

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// unknownOwners refuses user keys whose owner is neither in the document nor
// there already: they would open nothing.
func unknownOwners(ctx context.Context, s Store, named map[string]bool, keys []store.Key) ([]error, error) {
	var faults []error
	for i := range keys {
		if keys[i].Type != identity.UserKey || named[keys[i].OwnerID] {
			continue
		}
		known, err := ownerKnown(ctx, s, &keys[i])
		if err != nil {
			return nil, fmt.Errorf("owner of key %s: %w", keys[i].ID, err)
		}
		if !known {
			faults = append(faults, &declaration.Error{
				Path: []string{"keys", strconv.Itoa(i), "owner_id"},
				Rule: fmt.Sprintf("there is no user %.80q: declare it under users, or create it first", keys[i].OwnerID),
			})
		}
	}
	return faults, nil
}

// ownerKnown accepts a deleted owner of a key that has it already. The key is
// stopped, and a collector must not fail to start because of a user that was
// deleted while it ran.
func ownerKnown(ctx context.Context, s Store, key *store.Key) (bool, error) {
	if key.OwnerID == store.BuiltinUserID {
		return true, nil
	}
	owner, err := s.User(ctx, key.OwnerID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil || owner.DeletedAt.IsZero() {
		return err == nil, err
	}
	current, err := s.Key(ctx, key.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && current.OwnerID == key.OwnerID, err
}
