package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func (p *program) usersActivateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "activate ID",
		Short:             "let the keys of a user be used again",
		Args:              arguments(cobra.ExactArgs(1), "the id of one user"),
		ValidArgsFunction: p.completeUserIDs(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return p.activateUser(cmd.Context(), args[0]) },
	}
	return cmd
}

func (p *program) usersDeactivateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deactivate ID",
		Short: "stop all keys of a user until it is activated again",
		Long: `Stop all keys of a user, at once, until the user is activated again. System keys
that it made go on.`,
		Args:              arguments(cobra.ExactArgs(1), "the id of one user"),
		ValidArgsFunction: p.completeUserIDs(1),
		RunE:              func(cmd *cobra.Command, args []string) error { return p.deactivateUser(cmd.Context(), args[0]) },
	}
	return cmd
}

func (p *program) activateUser(ctx context.Context, id string) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	active := true
	user, _, err := c.patchUser(ctx, "activate user "+quoted(id), id, client.UserPatch{Active: &active})
	if err != nil {
		return err
	}
	keys, err := c.activeKeys(ctx, id)
	if err != nil {
		return err
	}
	return p.print("activated " + userName(&user) + ": " + counted(keys, "key") + " can be used\n")
}

func (p *program) deactivateUser(ctx context.Context, id string) error {
	if err := checkID(id, "user"); err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	keys, err := c.activeKeys(ctx, id)
	if err != nil {
		return err
	}
	active := false
	user, _, err := c.patchUser(ctx, "deactivate user "+quoted(id), id, client.UserPatch{Active: &active})
	if err != nil {
		return err
	}
	return p.print("deactivated " + userName(&user) + ": " + counted(keys, "key") + " stopped\n")
}
