package cli

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/limit"
)

const (
	defaultGrace = "24h"
	maxGrace     = 90 * day
	graceHint    = "use a number and a unit such as 30m, 24h or 7d, at most 90d, or --now to end the old secret at once"
)

type rotateFlags struct {
	showFlags
	grace string
	now   bool
}

func (p *program) keysRotateCommand() *cobra.Command {
	var f rotateFlags
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "give an API key a new secret and show it, this once",
		Long: `Give an API key a new secret and show it, this once. The key keeps its id, rights,
limits and what it has spent. The old secret stays valid for a while, so that it
can be replaced wherever it is in use: ` + "`gatectl keys get ID`" + ` tells when each of the
two was used last.

A key has two secrets at most: one that is ending already ends at once.

Where no answer comes gatectl asks once more, in a way that makes no second
secret.`,
		Example: `  gatectl keys rotate key_6xkq2m7vdn3wslc4hpab
  gatectl keys rotate key_6xkq2m7vdn3wslc4hpab --grace 7d
  gatectl keys rotate key_6xkq2m7vdn3wslc4hpab --now    # the old secret has leaked
  KEY=$(gatectl keys rotate --quiet key_6xkq2m7vdn3wslc4hpab)`,
		Args:              arguments(cobra.ExactArgs(1), "the id of one key"),
		ValidArgsFunction: p.completeKeys(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("grace") && f.grace == "" {
				return emptyFlag(cmd, "grace")
			}
			return p.rotateKey(cmd.Context(), args[0], &f)
		},
	}
	cmd.Flags().StringVar(&f.grace, "grace", defaultGrace, "how long the old secret stays valid: a `SPAN` such as 30m, 24h or 7d")
	cmd.Flags().BoolVar(&f.now, "now", false, "end the old secret at once, like --grace 0")
	f.showFlags.register(cmd)
	exclusive(cmd, "grace", "now")
	return cmd
}

func (p *program) rotateKey(ctx context.Context, id string, f *rotateFlags) error {
	if err := checkID(id, "key"); err != nil {
		return err
	}
	request, err := f.request()
	if err != nil {
		return err
	}
	endpoint, err := parseOTLPEndpoint(f.otlpEndpoint)
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	own := c.ownID(ctx)
	key, body, err := c.makeSecret(ctx, "rotate key "+quoted(id), func(idempotencyKey *string) (*http.Response, error) {
		return c.api.RotateKey(ctx, id, &client.RotateKeyParams{IdempotencyKey: idempotencyKey}, request)
	})
	if err != nil {
		return doubtful(err, "it may have been rotated all the same: look with `gatectl keys get "+printable(id)+"`, and rotate it again where nobody holds the new secret")
	}
	if own == id {
		p.note("this is the key that gatectl uses itself, in %s: put the new one there", c.key.source)
	}
	return p.showSecret(&f.showFlags, secretMade{
		verb: "rotated", key: &key, body: body, endpoint: endpoint, former: formerText(&key, p.now()),
	})
}

func (f *rotateFlags) request() (client.KeyRotate, error) {
	grace := f.grace
	if f.now {
		grace = "0"
	}
	span, err := parseGrace(grace)
	if err != nil {
		return client.KeyRotate{}, err
	}
	text := limit.Window(span).String()
	return client.KeyRotate{GracePeriod: &text}, nil
}

func parseGrace(text string) (time.Duration, error) {
	span, err := limit.ParseWindow(text)
	switch {
	case err != nil:
		return 0, misuse(graceHint, "--grace %q: must be a number and a unit", text)
	case span < 0 || time.Duration(span) > maxGrace:
		return 0, misuse(graceHint, "--grace %q: must be 0 to 90d", text)
	}
	return time.Duration(span), nil
}

// formerText says what becomes of the secret before the newest.
func formerText(key *client.Key, now time.Time) string {
	const ended = "the old secret is refused from now on"
	if len(key.Secrets) < 2 {
		return ended
	}
	former := key.Secrets[1]
	if former.ExpiresAt == nil || !former.ExpiresAt.After(now) {
		return ended
	}
	return "the old secret, " + printable(former.Hint) + ", stays valid until " + fullTime(former.ExpiresAt, now)
}
