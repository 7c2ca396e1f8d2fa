package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func (p *program) plansCommand() *cobra.Command {
	var output *choice
	cmd := &cobra.Command{
		Use:     "plans",
		Aliases: []string{"plan"},
		Short:   "list the plans that keys can be on",
		Long: `List the plans that keys can be on, with their limits as --limit takes them. Plans
are built in or come from the configuration of the collector.`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.listPlans(cmd.Context(), output) },
	}
	output = outputFlag(cmd)
	return cmd
}

func (p *program) listPlans(ctx context.Context, output *choice) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	list, body, err := c.getPlans(ctx)
	if err != nil {
		return err
	}
	if output.value == asJSON {
		return p.printJSON(body)
	}
	rows := [][]cell{heading("NAME", "LIMITS", "AT ONCE", "FROM")}
	for i := range list.Data {
		rows = append(rows, planRows(&list.Data[i])...)
	}
	return p.print(grid(rows, p.colored()))
}

func (c *connection) getPlans(ctx context.Context) (client.PlanList, []byte, error) {
	answer, err := c.api.ListPlans(ctx) //nolint:bodyclose // result closes it
	return result[client.PlanList](c, "list plans", answer, err)
}

// planRows shows each limit on a line of its own.
func planRows(plan *client.Plan) [][]cell {
	name, from, atOnce := plan.Name, "configuration", "any number"
	if plan.Default {
		name += " (default)"
	}
	if plan.Builtin {
		from = "built in"
	}
	if plan.Concurrency != nil {
		atOnce = strconv.Itoa(*plan.Concurrency)
	}
	limits := limitTexts(plan.Limits)
	if len(limits) == 0 {
		limits = []string{"none"}
	}
	rows := [][]cell{{text(name), text(limits[0]), text(atOnce), text(from)}}
	for _, l := range limits[1:] {
		rows = append(rows, []cell{{}, text(l)})
	}
	return rows
}
