package admin

import (
	"context"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// The grace period of a rotation: the default gives senders a day to change
// over, and the largest is long enough for any.
const (
	defaultGrace = 24 * time.Hour
	maxGrace     = 90 * 24 * time.Hour
)

// RotateKey implements api.StrictServerInterface. Its answer is the only one
// that holds the new secret.
func (s *service) RotateKey(ctx context.Context, request api.RotateKeyRequestObject) (api.RotateKeyResponseObject, error) {
	c := callerIn(ctx)
	key, owner, err := s.visibleKey(ctx, request.ID)
	if err != nil {
		return nil, err
	}
	has, err := s.bounds(ctx, c)
	if err != nil {
		return nil, err
	}
	r := rotation{
		service: s, caller: c, has: has, at: s.now(), grace: graceOf(request.Body), ifMatch: request.Params.IfMatch,
		repeat: newRepeatable(c, request.Params.IdempotencyKey, audit.KeyRotate, request.ID, request.Body),
	}
	if err := r.mint(ctx, &key); err != nil {
		return nil, err
	}
	stored, err := s.store.UpdateKey(ctx, key.ID, r.edit)
	replayed := ""
	if err == errReplay { //nolint:errorlint // returned as it is
		stored, replayed = r.before, "true"
		r.text, err = s.reply(ctx, r.repeat, key.ID, r.secret)
	}
	if err != nil {
		return nil, fromStore("rotate key", err)
	}
	view := s.viewWithUses(ctx, &stored, owner, r.at)
	view.Key = &r.text
	return api.RotateKey200JSONResponse{
		Body: view, Headers: api.RotateKey200ResponseHeaders{ETag: etag(stored.Revision), IdempotencyReplayed: orNull(replayed)},
	}, nil
}

// graceOf reads what the document has checked.
func graceOf(body *api.KeyRotate) time.Duration {
	if body.GracePeriod == nil {
		return defaultGrace
	}
	grace, _ := parseGrace(*body.GracePeriod)
	return grace
}

// parseGrace reads a grace period; "0" is one. It does not check the bounds.
func parseGrace(text string) (time.Duration, error) {
	grace, err := limit.ParseWindow(text)
	return time.Duration(grace), err
}

// rotation gives a key a new secret, at most once: editing again mints none.
type rotation struct {
	*service
	caller  caller
	has     rights
	at      time.Time
	grace   time.Duration
	ifMatch *string
	repeat  *repeatable // nil: the call cannot be repeated

	secret store.Secret // the one that was made, by this call or before
	text   string       // of the secret
	before store.Key    // as it was found
}

func (r *rotation) mint(ctx context.Context, k *store.Key) error {
	minted := r.format.Mint(kindOf(k))
	r.secret = store.Secret{
		Digest: store.Digest(minted.Digest()), Hint: minted.Hint(), CreatedAt: r.at, Request: r.repeat.request(0),
	}
	r.text = minted.Reveal()
	return r.keepReply(ctx, r.repeat, r.secret.Request, minted)
}

// edit rotates the key where the caller may. It may run more than once.
func (r *rotation) edit(k *store.Key) (store.Audit, error) {
	r.before = *k
	if err := mayTouch(r.caller, k, "rotated"); err != nil {
		return store.Audit{}, err
	}
	if err := mayRotate(r.caller, r.has, k, r.plans.Policy(k.Plan, k.Limits)); err != nil {
		return store.Audit{}, err
	}
	switch made, before, err := r.repeat.made(k, 0, r.at); {
	case err != nil:
		return store.Audit{}, err
	case before:
		r.secret = made
		return store.Audit{}, errReplay
	}
	if err := r.fits(k); err != nil {
		return store.Audit{}, err
	}
	before := *k
	spend(k, r.at)
	k.Rotate(r.secret, r.grace, r.at)
	k.UpdatedAt = r.at
	return r.caller.audit(audit.KeyRotate, r.at, &before, k), nil
}

// fits refuses rotations that no caller may make.
func (r *rotation) fits(k *store.Key) error {
	switch {
	case !k.RevokedAt.IsZero():
		return newProblem(codeKeyRevoked, "the key is revoked, which cannot be undone: create another")
	case r.caller.replacedSecretOf(k):
		return newProblem(codeExceedsCaller, "this secret of the key was replaced by a rotation and cannot make another: use the key's newest secret")
	case hasEnded(k.ExpiresAt, r.at):
		return newProblem(codeKeyExpired, "the key has expired, and so would its new secret: set another expiresAt first")
	}
	return checkMatch(r.ifMatch, k.Revision)
}
