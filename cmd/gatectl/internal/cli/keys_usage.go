package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func (p *program) keysUsageCommand() *cobra.Command {
	var f usageFlags
	cmd := &cobra.Command{
		Use:   "usage ID",
		Short: "show how much an API key is used",
		Long: `Show how much an API key is used: all that it was presented for, be it refused,
and be the key revoked meanwhile. The answer is exact to the moment.

` + usageHelp,
		Example: `  gatectl keys usage key_6xkq2m7vdn3wslc4hpab
  gatectl keys usage key_6xkq2m7vdn3wslc4hpab --since 30d --step 1d
  gatectl keys usage key_6xkq2m7vdn3wslc4hpab --since 2026-07-01 --until 2026-07-31 -o json`,
		Args:              arguments(cobra.ExactArgs(1), "the id of one key"),
		ValidArgsFunction: p.completeKeys(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.keyUsage(cmd.Context(), args[0], &f)
		},
	}
	f.register(cmd)
	return cmd
}

func (p *program) keyUsage(ctx context.Context, id string, f *usageFlags) error {
	if err := checkID(id, "key"); err != nil {
		return err
	}
	from, to, err := f.parse(p.now())
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	answer, err := c.api.GetKeyUsage(ctx, id, &client.GetKeyUsageParams{From: from, To: to, Step: optional[client.UsageStep](f.step.value)}) //nolint:bodyclose // result closes it
	u, body, err := result[client.Usage](c, "read the usage of key "+quoted(id), answer, err)
	if err != nil {
		return err
	}
	return p.showUsage(&u, body, f.output)
}
