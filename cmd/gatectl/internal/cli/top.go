package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

type topFlags struct {
	minutes, limit int
	interval       time.Duration
	once           bool
	output         *choice
}

const (
	defaultMinutes = 5
	maxMinutes     = 15
)

func (p *program) topCommand() *cobra.Command {
	var f topFlags
	cmd := &cobra.Command{
		Use:   "top",
		Short: "show which API keys are used most now, and go on showing it",
		Long: `Show which API keys are used most now, by their requests of the last minutes, and
go on showing it until q or ^C. Rates are per second, averaged over these minutes.
Strangers come without a valid key. Of the limits of a key that one is shown which
is nearest to being spent.

With --once, with -o json, and where standard output is no terminal, it is shown
once.`,
		Example: `  gatectl top
  gatectl top --minutes 1 --interval 1s
  gatectl top --once --limit 10 -o json`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return p.top(cmd.Context(), &f)
		},
	}
	cmd.Flags().IntVar(&f.minutes, "minutes", defaultMinutes, "how many `MINUTES` to look back, the current one included, at most 15")
	cmd.Flags().IntVar(&f.limit, "limit", defaultLimit, "the largest `NUMBER` of keys to show, at most 500")
	cmd.Flags().DurationVar(&f.interval, "interval", defaultInterval, "how often to look")
	cmd.Flags().BoolVar(&f.once, "once", false, "show it once")
	f.output = outputFlag(cmd)
	return cmd
}

func (f *topFlags) check() error {
	if f.minutes < 1 || f.minutes > maxMinutes {
		return misuse("see what was before with `gatectl usage`", "--minutes %d: must be 1 to %d", f.minutes, maxMinutes)
	}
	if f.limit < 1 || f.limit > maxPage {
		return misuse("leave it out for 50", "--limit %d: must be 1 to %d", f.limit, maxPage)
	}
	return checkInterval(f.interval)
}

func (p *program) top(ctx context.Context, f *topFlags) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	if f.output.value == asJSON {
		_, body, err := c.getTop(ctx, f)
		if err != nil {
			return err
		}
		return p.printJSON(body)
	}
	first, err := c.readTop(ctx, f)
	if err != nil {
		return err
	}
	if f.once || !p.drawn() {
		return p.print(first.text(p.colored()))
	}
	return p.liveTop(ctx, f, c, first)
}

const topOperation = "read which keys are used most"

func (c *connection) getTop(ctx context.Context, f *topFlags) (client.TopUsage, []byte, error) {
	answer, err := c.api.GetTopUsage(ctx, &client.GetTopUsageParams{Minutes: &f.minutes, Limit: &f.limit}) //nolint:bodyclose // result closes it
	return result[client.TopUsage](c, topOperation, answer, err)
}

// readTop reads what is shown. Where alerts cannot be read the rest is shown
// all the same.
func (c *connection) readTop(ctx context.Context, f *topFlags) (*topView, error) {
	usage, _, err := c.getTop(ctx, f)
	if err != nil {
		return nil, err
	}
	view := &topView{server: c.url, usage: usage, firing: -1}
	state, size := client.AlertStateFiring, maxPage
	answer, err := c.api.ListAlerts(ctx, &client.ListAlertsParams{State: &state, Limit: &size}) //nolint:bodyclose // result closes it
	if alerts, _, err := result[listing](c, "list alerts", answer, err); err == nil {
		view.firing, view.more = len(alerts.Data), alerts.NextCursor != nil
	}
	return view, nil
}
