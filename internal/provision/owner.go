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

// ownerFaults refuses user keys whose owner is not in the document and will not
// be in force: they would open nothing.
func ownerFaults(ctx context.Context, s Store, users *plan[store.User], keys []store.Key) ([]error, error) {
	var faults []error
	for i := range keys {
		key := &keys[i]
		if key.Type != identity.UserKey || key.OwnerID == store.BuiltinUserID || users.named[key.OwnerID] {
			continue
		}
		rule, err := ownerRule(ctx, s, users, key)
		if err != nil {
			return nil, fmt.Errorf("owner of key %s: %w", key.ID, err)
		}
		if rule != "" {
			faults = append(faults, &declaration.Error{Path: []string{"keys", strconv.Itoa(i), "owner_id"}, Rule: rule})
		}
	}
	return faults, nil
}

// ownerRule returns the rule that the owner of a key breaks, empty where it
// breaks none.
func ownerRule(ctx context.Context, s Store, users *plan[store.User], key *store.Key) (string, error) {
	unknown := fmt.Sprintf("there is no user %.80q: declare it under users, or create it first", key.OwnerID)
	owner, err := s.User(ctx, key.OwnerID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return unknown, nil
	case err != nil:
		return "", err
	case !owner.DeletedAt.IsZero(), owner.Withdrawn && owner.Applied && users.options.Source == Configuration:
		if had, err := hadOwner(ctx, s, key); err != nil || had {
			return "", err
		}
		if owner.Withdrawn {
			return withdrawnOwner(key, ""), nil
		}
		return unknown, nil
	case owner.Withdrawn:
		return withdrawnOwner(key, ""), nil
	case users.goes(users.state(&owner)):
		return withdrawnOwner(key, " by leaving it out"), nil
	}
	return "", nil
}

func withdrawnOwner(key *store.Key, how string) string {
	return fmt.Sprintf("user %.80q is withdrawn%s: declare it under users, or give the key another owner", key.OwnerID, how)
}

// hadOwner reports whether a key has its owner already. Then the owner may be
// deleted, or withdrawn by an applied document: the key is stopped, and a
// collector must not fail to start because of what was done while it ran.
func hadOwner(ctx context.Context, s Store, key *store.Key) (bool, error) {
	current, err := s.Key(ctx, key.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && current.OwnerID == key.OwnerID, err
}
