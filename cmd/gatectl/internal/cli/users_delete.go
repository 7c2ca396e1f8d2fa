package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (p *program) usersDeleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete ID…",
		Short: "delete users and stop their keys, at once and for ever",
		Long: `Delete users. Their keys stop at once, for good, which cannot be undone; system
keys that they made go on. On a terminal gatectl asks first; elsewhere it needs
--yes. To stop the keys of a user for a while, deactivate it.`,
		Example:           `  gatectl users delete user_6xkq2m7vdn3wslc4hpab`,
		Args:              arguments(cobra.MinimumNArgs(1), "the ids of one or more users"),
		ValidArgsFunction: p.completeUserIDs(0),
		RunE:              func(cmd *cobra.Command, args []string) error { return p.deleteUsers(cmd.Context(), unique(args), yes) },
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (p *program) deleteUsers(ctx context.Context, ids []string, yes bool) error {
	for _, id := range ids {
		if err := checkID(id, "user"); err != nil {
			return err
		}
	}
	if !yes && !p.canAsk() {
		return misuse("give --yes to delete without being asked", "delete %s: standard input is no terminal to ask on", counted(len(ids), "user"))
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	if !yes {
		if err := p.confirmDeletion(ctx, c, ids); err != nil {
			return err
		}
	}
	return p.each(ids, func(id string) error { return p.deleteUser(ctx, c, id) })
}

// confirmDeletion names the users, and how many keys stop, and asks.
func (p *program) confirmDeletion(ctx context.Context, c *connection, ids []string) error {
	var lines strings.Builder
	for _, id := range ids {
		user, _, err := c.getUser(ctx, id)
		if err != nil {
			return err
		}
		keys, err := c.activeKeys(ctx, id)
		if err != nil {
			return err
		}
		lines.WriteString("  " + describeUser(&user) + ": " + counted(keys, "key") + " will stop\n")
	}
	return p.confirm(fmt.Sprintf("delete %s, for ever?\n%s", counted(len(ids), "user"), lines.String()), "delete", "deleted")
}

func (p *program) deleteUser(ctx context.Context, c *connection, id string) error {
	keys, err := c.activeKeys(ctx, id)
	if err != nil {
		return err
	}
	answer, err := c.api.DeleteUser(ctx, id, nil)
	if _, err := c.read("delete user "+quoted(id), answer, err); err != nil {
		return err
	}
	return p.print("deleted " + printable(id) + ": " + counted(keys, "key") + " stopped\n")
}
