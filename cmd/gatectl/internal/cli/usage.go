package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// usageFlags say which usage to show.
type usageFlags struct {
	spanFlags
	step   choice
	output *choice
}

const usageHelp = `Errors are the requests that were refused by the gate, or failed behind it. Items
are spans, data points, log records and samples. Minutes are kept for a day, hours
for 35 days, and days as long as otlpgate is configured to.`

func (f *usageFlags) register(cmd *cobra.Command) {
	f.spanFlags.register(cmd, "from `WHEN` on, a day before the end where it is left out")
	choiceFlag(cmd, &f.step, "step", "", "minutes, hours or days; where it is left out, what suits the time that is asked for", "1m", "1h", "1d")
	f.output = outputFlag(cmd)
}

func (p *program) usageCommand() *cobra.Command {
	var f usageFlags
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "show how much all API keys together are used",
		Long: `Show how much all API keys together are used, requests without a valid key
included. ` + "`gatectl keys usage`" + ` shows that of one key.

` + usageHelp,
		Example: `  gatectl usage
  gatectl usage --since 30m
  gatectl usage --since 2026-07-01 --until 2026-07-31 --step 1d -o json`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.allUsage(cmd.Context(), &f) },
	}
	f.register(cmd)
	return cmd
}

func (p *program) allUsage(ctx context.Context, f *usageFlags) error {
	from, to, err := f.parse(p.now())
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	answer, err := c.api.GetUsage(ctx, &client.GetUsageParams{From: from, To: to, Step: optional[client.UsageStep](f.step.value)}) //nolint:bodyclose // result closes it
	u, body, err := result[client.Usage](c, "read the usage of all keys", answer, err)
	if err != nil {
		return err
	}
	return p.showUsage(&u, body, f.output)
}

// showUsage prints usage in the format that was asked for.
func (p *program) showUsage(u *client.Usage, body []byte, format *choice) error {
	if format.value == asJSON {
		return p.printJSON(body)
	}
	return p.print(usageText(u, p.drawn(), p.colored()))
}

// drawn reports whether standard output is for eyes, so that bars can be drawn.
func (p *program) drawn() bool { return p.getenv("TERM") != "dumb" && isTerminal(p.stdout) }
