package cli

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func (p *program) keysRevokeCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke ID…",
		Short: "revoke API keys, at once and for ever",
		Long: `Revoke API keys. They are refused from then on, which cannot be undone. On a
terminal gatectl asks first; elsewhere it needs --yes.`,
		Example: `  gatectl keys revoke key_6xkq2m7vdn3wslc4hpab
  gatectl keys revoke --yes key_6xkq2m7vdn3wslc4hpab key_mzq4tbx2fw6ynh3dkvsa`,
		Args:              arguments(cobra.MinimumNArgs(1), "the ids of one or more keys"),
		ValidArgsFunction: p.completeKeys(0),
		RunE:              func(cmd *cobra.Command, args []string) error { return p.revokeKeys(cmd.Context(), args, yes) },
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (p *program) revokeKeys(ctx context.Context, ids []string, yes bool) error {
	ids = unique(ids)
	for _, id := range ids {
		if err := checkID(id, "key"); err != nil {
			return err
		}
	}
	if !yes && !p.canAsk() {
		return misuse("give --yes to revoke without being asked", "revoke %s: standard input is no terminal to ask on", counted(len(ids), "key"))
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	own := c.ownID(ctx)
	if !yes {
		if err := p.confirmRevocation(ctx, c, ids, own); err != nil {
			return err
		}
	}
	return p.revokeAll(ctx, c, ownLast(ids, own))
}

// ownID returns the id of the key that gatectl uses; empty where it cannot be
// had, which is no reason not to revoke.
func (c *connection) ownID(ctx context.Context) string {
	answer, err := c.api.Whoami(ctx) //nolint:bodyclose // result closes it
	me, _, err := result[client.Whoami](c, "whoami", answer, err)
	if err != nil {
		return ""
	}
	return me.ID
}

// ownLast moves gatectl's own key to the end: once it is revoked, it can revoke
// no other.
func ownLast(ids []string, own string) []string {
	others := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == own })
	if len(others) < len(ids) {
		others = append(others, own)
	}
	return others
}

func unique(ids []string) []string {
	var seen []string
	for _, id := range ids {
		if !slices.Contains(seen, id) {
			seen = append(seen, id)
		}
	}
	return seen
}

func counted(n int, unit string) string { return plural(int64(n), unit) }

// revokeAll revokes what it can.
func (p *program) revokeAll(ctx context.Context, c *connection, ids []string) error {
	return p.each(ids, func(id string) error { return p.revokeOne(ctx, c, id) })
}

// each works on all ids, whatever becomes of the others. It reports all failures
// but the last, which it returns.
func (p *program) each(ids []string, work func(id string) error) error {
	var failed error
	for _, id := range ids {
		if err := work(id); err != nil {
			if failed != nil {
				p.report(failed)
			}
			failed = err
		}
	}
	return failed
}

func (p *program) revokeOne(ctx context.Context, c *connection, id string) error {
	answer, err := c.api.RevokeKey(ctx, id, nil)
	if _, err := c.read("revoke key "+quoted(id), answer, err); err != nil {
		return err
	}
	return p.print("revoked " + printable(id) + "\n")
}

// confirmRevocation names the keys and asks.
func (p *program) confirmRevocation(ctx context.Context, c *connection, ids []string, own string) error {
	var lines strings.Builder
	for _, id := range ids {
		key, _, err := c.getKey(ctx, id)
		if err != nil {
			return err
		}
		lines.WriteString("  " + describe(&key))
		if key.ID == own {
			lines.WriteString(": the key that gatectl uses now")
		}
		lines.WriteString("\n")
	}
	return p.confirm(fmt.Sprintf("revoke %s, for ever?\n%s", counted(len(ids), "key"), lines.String()), "revoke", "revoked")
}

// describe is a key in one line, with what tells it from others.
func describe(key *client.Key) string {
	line := nameOf(key) + ", " + printable(key.Hint) + ", " + printable(string(key.Status))
	if key.LastUsedAt != nil {
		line += ", last used " + key.LastUsedAt.UTC().Format("2006-01-02 15:04") + " UTC"
	}
	return line
}

// canAsk reports whether there is somebody to answer on standard input.
func (p *program) canAsk() bool { return isTerminal(p.stdin) && p.flags.keyFile != "-" }

// confirm asks on the terminal whether to do something; anything but yes is an
// error, after which nothing is done.
func (p *program) confirm(question, do, done string) error {
	if _, err := fmt.Fprint(p.stderr, question+"type yes to go on: "); err != nil {
		return refuse("give --yes to "+do+" without being asked", "ask for a confirmation: %s", err)
	}
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil {
		// The terminal was closed, or ^D typed: the cursor is still on the line.
		_, _ = fmt.Fprintln(p.stderr)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return refuse("type yes, or give --yes", "nothing was %s: not confirmed", done)
}
