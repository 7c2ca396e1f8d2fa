package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func (p *program) usersCommand() *cobra.Command {
	users := group(&cobra.Command{
		Use:     "users",
		Aliases: []string{"user"},
		Short:   "create, list, change and delete the users that keys belong to",
	})
	users.AddCommand(p.usersCreateCommand(), p.usersListCommand(), p.usersGetCommand(), p.usersUpdateCommand(),
		p.usersActivateCommand(), p.usersDeactivateCommand(), p.usersDeleteCommand())
	return users
}

// userFlags are the flags for the fields of a user.
type userFlags struct {
	email  string
	name   string
	role   choice
	output *choice
}

func (f *userFlags) register(cmd *cobra.Command, defaultRole string) {
	cmd.Flags().StringVar(&f.email, "email", "", "`EMAIL` of the user, which no other may have")
	cmd.Flags().StringVar(&f.name, "name", "", "`NAME` of the person or team")
	choiceFlag(cmd, &f.role, "role", "", "bounds every key of the user"+defaultRole, "viewer", "member", "admin")
	f.output = outputFlag(cmd)
}

// checkGiven refuses flags that were given without a value.
func (f *userFlags) checkGiven(cmd *cobra.Command) error {
	for flag, value := range map[string]string{"email": f.email, "name": f.name} {
		if cmd.Flags().Changed(flag) && value == "" {
			return emptyFlag(cmd, flag)
		}
	}
	return nil
}

func (c *connection) getUser(ctx context.Context, id string) (client.User, []byte, error) {
	if err := checkID(id, "user"); err != nil {
		return client.User{}, nil, err
	}
	answer, err := c.api.GetUser(ctx, id) //nolint:bodyclose // result closes it
	return result[client.User](c, "get user "+quoted(id), answer, err)
}

func (c *connection) patchUser(ctx context.Context, operation, id string, patch client.UserPatch) (client.User, []byte, error) {
	if err := checkID(id, "user"); err != nil {
		return client.User{}, nil, err
	}
	answer, err := c.api.UpdateUser(ctx, id, nil, patch) //nolint:bodyclose // result closes it
	return result[client.User](c, operation, answer, err)
}

// activeKeys counts the keys of a user that can be used now.
func (c *connection) activeKeys(ctx context.Context, userID string) (int, error) {
	keys, err := c.fetchKeys(ctx, &listFlags{
		owner: userID, status: choice{value: string(client.KeyStatusActive)}, pageFlags: pageFlags{all: true},
	})
	return len(keys.Data), err
}

// userName is how messages name a user.
func userName(user *client.User) string { return printable(user.ID) + " " + quoted(user.Name) }

// describeUser is a user in one line.
func describeUser(user *client.User) string {
	parts := []string{userName(user)}
	if user.Email != nil && *user.Email != user.Name {
		parts = append(parts, printable(*user.Email))
	}
	return strings.Join(append(parts, printable(string(user.Role))), ", ")
}

// showUser prints a user in the format that was asked for.
func (p *program) showUser(user *client.User, body []byte, format *choice) error {
	if format.value == asJSON {
		return p.printJSON(body)
	}
	return p.print(grid(p.userDetails(user), p.colored()))
}

func (p *program) userDetails(user *client.User) [][]cell {
	now := p.now()
	d := details{}
	d.add("id", user.ID)
	d.add("name", user.Name)
	d.addPointer("email", user.Email)
	d.add("role", string(user.Role))
	d = append(d, []cell{label("status"), userStatusCell(user)})
	d.add("created", fullTime(&user.CreatedAt, now))
	d.add("changed", fullTime(&user.UpdatedAt, now))
	if user.Builtin {
		d.add("built in", "always there, as administrator")
	}
	if user.Declared {
		d.add("declared", "in the configuration of the collector or an applied document, and changed there")
	}
	return d
}

func userStatusCell(user *client.User) cell {
	if user.Active {
		return cell{text: "active", color: green}
	}
	return cell{text: "inactive", color: yellow}
}
