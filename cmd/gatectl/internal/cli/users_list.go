package cli

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

type userListFlags struct {
	pageFlags
	role             choice
	active, inactive bool
	query            string
	output           *choice
}

func (p *program) usersListCommand() *cobra.Command {
	var f userListFlags
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "list users, oldest first",
		Example: `  gatectl users list --role admin
  gatectl users list --inactive --all --output json`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.listUsers(cmd.Context(), &f) },
	}
	choiceFlag(cmd, &f.role, "role", "", "only users of this role", "viewer", "member", "admin")
	cmd.Flags().BoolVar(&f.active, "active", false, "only users whose keys may be used")
	cmd.Flags().BoolVar(&f.inactive, "inactive", false, "only users whose keys are stopped")
	cmd.Flags().StringVar(&f.query, "query", "", "only users with this `TEXT` in their name, email or id")
	f.register(cmd, "users")
	f.output = outputFlag(cmd)
	exclusive(cmd, "active", "inactive")
	return cmd
}

func (p *program) listUsers(ctx context.Context, f *userListFlags) error {
	if err := f.check("users"); err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	users, err := c.fetchUsers(ctx, f)
	if err != nil {
		return err
	}
	if f.output.value == asJSON {
		return p.printListing(users)
	}
	return p.printUserTable(users)
}

func (c *connection) fetchUsers(ctx context.Context, f *userListFlags) (listing, error) {
	return f.fetch(c, "list users", func(size int, cursor *string) (*http.Response, error) {
		return c.api.ListUsers(ctx, f.parameters(size, cursor))
	})
}

func (f *userListFlags) parameters(size int, cursor *string) *client.ListUsersParams {
	params := &client.ListUsersParams{
		Role: optional[client.Role](f.role.value), Q: optional[string](f.query), Limit: &size, Cursor: cursor,
	}
	if f.active || f.inactive {
		params.Active = &f.active
	}
	return params
}

func (p *program) printUserTable(l listing) error {
	users, err := recordsOf[client.User](l)
	if err != nil {
		return err
	}
	rows := [][]cell{heading("ID", "NAME", "EMAIL", "ROLE", "STATUS", "FROM", "CREATED")}
	for i := range users {
		rows = append(rows, p.userRow(&users[i]))
	}
	return p.printTable(l, rows, "users", "no user matches")
}

func (p *program) userRow(user *client.User) []cell {
	email := ""
	if user.Email != nil {
		email = *user.Email
	}
	return []cell{
		text(user.ID), text(shorten(printable(user.Name), maxNameColumn)), text(email), text(string(user.Role)),
		userStatusCell(user), userOriginCell(user), text(shortTime(&user.CreatedAt, p.now())),
	}
}

func userOriginCell(user *client.User) cell {
	switch {
	case user.Declared:
		return cell{text: "declaration", color: bold}
	case user.Builtin:
		return text("built in")
	}
	return text("API")
}
