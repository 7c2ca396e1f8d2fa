package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

type userUpdateFlags struct {
	userFlags
	noEmail bool
}

func (p *program) usersUpdateCommand() *cobra.Command {
	var f userUpdateFlags
	cmd := &cobra.Command{
		Use:   "update ID",
		Short: "change a user",
		Long: `Change a user. What is not named stays as it is. A new role bounds the user's keys
at once.`,
		Example: `  gatectl users update user_6xkq2m7vdn3wslc4hpab --role viewer
  gatectl users update user_6xkq2m7vdn3wslc4hpab --no-email --name 'team checkout'`,
		Args:              arguments(cobra.ExactArgs(1), "the id of one user"),
		ValidArgsFunction: p.completeUserIDs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.checkGiven(cmd); err != nil {
				return err
			}
			if f.email == "" && !f.noEmail && f.name == "" && f.role.value == "" {
				return misuse("name what to change, such as --role viewer; "+helpHint(cmd), "update user: nothing to change")
			}
			return p.updateUser(cmd.Context(), args[0], f.patch(cmd), f.output)
		},
	}
	f.register(cmd, "")
	cmd.Flags().BoolVar(&f.noEmail, "no-email", false, "take the email away")
	exclusive(cmd, "email", "no-email")
	return cmd
}

func (f *userUpdateFlags) patch(cmd *cobra.Command) client.UserPatch {
	return client.UserPatch{
		Email: field(cmd, "email", f.email, f.noEmail), Name: optional[string](f.name), Role: optional[client.Role](f.role.value),
	}
}

func (p *program) updateUser(ctx context.Context, id string, patch client.UserPatch, output *choice) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	user, body, err := c.patchUser(ctx, "update user "+quoted(id), id, patch)
	if err != nil {
		return err
	}
	return p.showUser(&user, body, output)
}
