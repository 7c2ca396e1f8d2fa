package cli

import "github.com/spf13/cobra"

func (p *program) usersGetCommand() *cobra.Command {
	var output *choice
	cmd := &cobra.Command{
		Use:               "get ID",
		Aliases:           []string{"show"},
		Short:             "show a user",
		Args:              arguments(cobra.ExactArgs(1), "the id of one user"),
		ValidArgsFunction: p.completeUserIDs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.connect()
			if err != nil {
				return err
			}
			user, body, err := c.getUser(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return p.showUser(&user, body, output)
		},
	}
	output = outputFlag(cmd)
	return cmd
}
