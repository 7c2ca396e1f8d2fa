package cli

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/snippet"
)

func (p *program) usersCreateCommand() *cobra.Command {
	var f userFlags
	cmd := &cobra.Command{
		Use:   "create (--email EMAIL | --name NAME)",
		Short: "create a user that keys can belong to",
		Long: `Create a user that keys can belong to. A user has no password: it gets in with its
keys, none of which exceeds the user's role.`,
		Example: `  gatectl users create --email ada@example.com --name Ada
  gatectl keys create --owner user_6xkq2m7vdn3wslc4hpab --name notebook --preset read-write`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.checkGiven(cmd); err != nil {
				return err
			}
			if f.email == "" && f.name == "" {
				return misuse("say who it is, as in --email ada@example.com or --name 'team checkout'", "create user: --email or --name is required")
			}
			return p.createUser(cmd.Context(), &f)
		},
	}
	f.register(cmd, " (default member)")
	return cmd
}

func (p *program) createUser(ctx context.Context, f *userFlags) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	who := f.email
	if who == "" {
		who = f.name
	}
	operation := "create user " + quoted(who)
	answer, err := c.api.CreateUser(ctx, client.UserCreate{ //nolint:bodyclose // result closes it
		Email: optional[string](f.email), Name: optional[string](f.name), Role: optional[client.Role](f.role.value),
	})
	user, body, err := result[client.User](c, operation, answer, err)
	if err != nil {
		return doubtful(err, "it may have been created all the same: look with `gatectl users list --query "+snippet.ShellQuote(who)+"`")
	}
	if answer.StatusCode != http.StatusCreated {
		return c.strangerFailure(operation, answer.Status)
	}
	return p.showUser(&user, body, f.output)
}
