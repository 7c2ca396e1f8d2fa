package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func (p *program) whoamiCommand() *cobra.Command {
	var output *choice
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "show what the key that gatectl uses stands for",
		Args:  arguments(cobra.NoArgs, "no arguments"),
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.whoami(cmd.Context(), output) },
	}
	output = outputFlag(cmd)
	return cmd
}

func (p *program) whoami(ctx context.Context, output *choice) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	answer, err := c.api.Whoami(ctx) //nolint:bodyclose // result closes it
	me, body, err := result[client.Whoami](c, "whoami", answer, err)
	if err != nil {
		return err
	}
	if output.value == asJSON {
		return p.printJSON(body)
	}
	return p.print(grid(c.whoamiDetails(&me), p.colored()))
}

func (c *connection) whoamiDetails(me *client.Whoami) [][]cell {
	d := details{}
	d.add("id", me.ID)
	d.add("name", me.Name)
	d.add("type", string(me.Type)+", "+string(me.Environment))
	d.addPointer("owner", me.OwnerID)
	d.add("role", string(me.Role))
	d.add("scopes", joined(me.Scopes))
	d.add("projects", orAll(me.Projects))
	d.add("plan", me.Plan)
	d.add("key from", c.key.source)
	d.add("server", c.url)
	return d
}
