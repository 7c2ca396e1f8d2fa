package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// AdminKeyFile is the name, inside the storage directory, of the file that
// receives a minted bootstrap key.
const AdminKeyFile = "admin.key"

// unlimitedPlan is the plan of the bootstrap key: an administrator must not
// lock itself out by working.
const unlimitedPlan = "enterprise"

// Bootstrap makes sure that the built-in user exists and that an administrator
// can get in.
type Bootstrap struct {
	Store  store.Store
	Format credential.Format
	// Directory is where AdminKeyFile is written.
	Directory string
	// AdminKey is the configured bootstrap key; empty means to mint one on the
	// first start.
	AdminKey string
	Now      func() time.Time
}

// Outcome tells what Run did.
type Outcome struct {
	// KeyFile is the path of a key file written by this run, else empty.
	KeyFile string
	// AdminKeyUnusable is set where the configured key is one that was revoked
	// or has expired, and so does not open anything.
	AdminKeyUnusable bool
	// AdminKeyReplaced is set where the configured key is a former secret of the
	// bootstrap key: it opens nothing, or not for long, and does not come back.
	AdminKeyReplaced bool
}

// Run is idempotent and may be interrupted at any point: the next run
// completes it. The user is created last, so that its existence means that the
// first start is over.
func (b Bootstrap) Run(ctx context.Context) (Outcome, error) {
	_, err := b.Store.User(ctx, store.BuiltinUserID)
	firstStart := errors.Is(err, store.ErrNotFound)
	if err != nil && !firstStart {
		return Outcome{}, fmt.Errorf("look up built-in user %q: %w", store.BuiltinUserID, err)
	}
	var out Outcome
	switch {
	case b.AdminKey != "":
		out, err = b.useConfiguredKey(ctx)
	case firstStart:
		out.KeyFile, err = b.mintKey(ctx)
	}
	if err != nil {
		return Outcome{}, err
	}
	if firstStart {
		err = b.createAdmin(ctx)
	}
	return out, err
}

func (b Bootstrap) createAdmin(ctx context.Context) error {
	now := b.Now()
	user := store.User{
		ID: store.BuiltinUserID, Name: "Administrator", Role: identity.AdminRole, Active: true,
		CreatedAt: now, UpdatedAt: now,
	}
	_, err := b.Store.CreateUser(ctx, user, store.Audit{
		Time: now, Action: audit.UserCreate, Target: user.ID, Changes: audit.UserChanges(nil, &user),
	})
	if err != nil {
		return fmt.Errorf("create built-in user %q: %w", user.ID, err)
	}
	return nil
}

// useConfiguredKey makes the configured key the bootstrap key. Where another
// was, its secret is replaced: changing the setting is how an operator who lost
// the key gets in again. A secret that was replaced stays so: the configuration
// may be older than the rotation that took a leaked one out of use.
func (b Bootstrap) useConfiguredKey(ctx context.Context) (Outcome, error) {
	secret, err := ParseAdminKey(b.Format, b.AdminKey)
	if err != nil {
		return Outcome{}, err
	}
	digest := store.Digest(secret.Digest())
	known, err := b.Store.KeyByDigest(ctx, digest)
	if err == nil {
		return b.outcomeOf(&known, digest), nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return Outcome{}, fmt.Errorf("look up bootstrap key: %w", err)
	}
	former, current, err := b.bootstrapKeys(ctx, digest)
	switch {
	case err != nil:
		return Outcome{}, err
	case former != nil:
		return b.outcomeOf(former, digest), nil
	case current != nil:
		return b.replaceSecret(ctx, current.ID, secret)
	}
	return Outcome{}, b.createKey(ctx, secret)
}

// outcomeOf tells what a configured key is good for that is, or was, one of the
// key's secrets.
func (b Bootstrap) outcomeOf(key *store.Key, digest store.Digest) Outcome {
	if key.StatusAt(b.Now(), nil) != store.Active {
		return Outcome{AdminKeyUnusable: true}
	}
	return Outcome{AdminKeyReplaced: key.Bootstrap && (len(key.Secrets) == 0 || key.Secrets[0].Digest != digest)}
}

// ParseAdminKey checks that text is a system key.
func ParseAdminKey(format credential.Format, text string) (credential.Secret, error) {
	secret, err := format.Parse(text)
	if err != nil {
		return credential.Secret{}, fmt.Errorf("bootstrap key: %w", err)
	}
	if secret.Kind() != credential.Sys {
		return credential.Secret{}, fmt.Errorf("bootstrap key is a %q key but must be a system key: make one with `gatectl keys mint`", secret.Kind())
	}
	return secret, nil
}

// bootstrapKeys returns the bootstrap key that had the secret once, whatever its
// state, and the one that is in force; nil where there is none.
func (b Bootstrap) bootstrapKeys(ctx context.Context, digest store.Digest) (former, current *store.Key, err error) {
	for key, err := range store.AllKeys(ctx, b.Store, store.KeyFilter{Type: identity.SystemKey}) {
		switch {
		case err != nil:
			return nil, nil, err
		case !key.Bootstrap:
		case slices.Contains(key.Retired, digest):
			return &key, nil, nil
		case current == nil && key.StatusAt(b.Now(), nil) == store.Active:
			current = &key
		}
	}
	return nil, current, nil
}

// replaceSecret decides again what is to be done: the key may have changed since
// it was looked up, by another collector that starts with the same setting.
func (b Bootstrap) replaceSecret(ctx context.Context, id string, secret credential.Secret) (Outcome, error) {
	now := b.Now()
	var out Outcome
	_, err := b.Store.UpdateKey(ctx, id, func(k *store.Key) (store.Audit, error) {
		digest := store.Digest(secret.Digest())
		_, has := k.Secret(digest)
		if has || slices.Contains(k.Retired, digest) || k.StatusAt(now, nil) != store.Active {
			out = b.outcomeOf(k, digest)
			return store.Audit{}, errAsWanted
		}
		before := *k
		k.Retire(k.Secrets)
		k.Secrets = []store.Secret{newSecret(secret, now)}
		k.UpdatedAt = now
		return store.Audit{Time: now, Action: audit.KeyRotate, Target: id, Changes: audit.KeyChanges(&before, k)}, nil
	})
	if err != nil && !errors.Is(err, errAsWanted) {
		return Outcome{}, fmt.Errorf("replace secret of bootstrap key %s: %w", id, err)
	}
	return out, nil
}

func (b Bootstrap) createKey(ctx context.Context, secret credential.Secret) error {
	now := b.Now()
	key := store.Key{
		ID: store.NewKeyID(), Name: "bootstrap", Description: "The administrator's first key",
		Type: identity.SystemKey, Environment: identity.Live, Role: identity.AdminRole,
		Scopes: []identity.Scope{identity.Admin}, Plan: unlimitedPlan, Bootstrap: true,
		Secrets: []store.Secret{newSecret(secret, now)}, CreatedAt: now, UpdatedAt: now,
	}
	_, err := b.Store.CreateKey(ctx, key, store.Audit{
		Time: now, Action: audit.KeyCreate, Target: key.ID, Changes: audit.KeyChanges(nil, &key),
	})
	if err != nil {
		return fmt.Errorf("create bootstrap key: %w", err)
	}
	return nil
}

func newSecret(s credential.Secret, now time.Time) store.Secret {
	return store.Secret{Digest: store.Digest(s.Digest()), Hint: s.Hint(), CreatedAt: now}
}

// mintKey writes the key's file before its record, so that no record is ever
// without a key that somebody holds. A file left by an interrupted first start
// is used.
func (b Bootstrap) mintKey(ctx context.Context) (string, error) {
	path := filepath.Join(b.Directory, AdminKeyFile)
	secret, err := b.readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret = b.Format.Mint(credential.Sys)
		err = writeSecretFile(path, secret)
	}
	if err != nil {
		return "", err
	}
	_, err = b.Store.KeyByDigest(ctx, store.Digest(secret.Digest()))
	if errors.Is(err, store.ErrNotFound) {
		err = b.createKey(ctx, secret)
	}
	if err != nil {
		return "", fmt.Errorf("record the key in %s: %w", path, err)
	}
	return path, nil
}

func (b Bootstrap) readKeyFile(path string) (credential.Secret, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return credential.Secret{}, err
	}
	secret, err := ParseAdminKey(b.Format, strings.TrimSpace(string(text)))
	if err != nil {
		return credential.Secret{}, fmt.Errorf("read %s: %w; delete the file to have a new key minted", path, err)
	}
	return secret, os.Chmod(path, secretFileMode)
}

const secretFileMode = 0o600

// writeSecretFile makes the file appear whole or not at all, and durably.
func writeSecretFile(path string, secret credential.Secret) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone after the rename
	_, err = tmp.WriteString(secret.Reveal() + "\n")
	err = errors.Join(err, tmp.Chmod(secretFileMode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncDirectory(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
