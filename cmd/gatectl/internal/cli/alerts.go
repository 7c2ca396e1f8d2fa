package cli

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// anyState stands for alerts whatever their state.
const anyState = "all"

type alertsFlags struct {
	pageFlags
	state, kind choice
	key         string
	output      *choice
}

func (p *program) alertsCommand() *cobra.Command {
	f := alertsFlags{state: choice{value: string(client.AlertStateFiring)}}
	cmd := &cobra.Command{
		Use:     "alerts",
		Aliases: []string{"alert"},
		Short:   "list what is amiss with API keys, newest first",
		Long: `List what is amiss with API keys, newest first: the alerts that are firing. With
--state resolved those are listed that ended in the last 30 days, and with --state
all both. JSON tells more of each, such as what to do about it.`,
		Example: `  gatectl alerts
  gatectl alerts --kind key_expiring -o json
  gatectl alerts --state all --key key_6xkq2m7vdn3wslc4hpab`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("key") && f.key == "" {
				return emptyFlag(cmd, "key")
			}
			return p.listAlerts(cmd.Context(), &f)
		},
	}
	choiceFlag(cmd, &f.state, "state", "", "only alerts in this state, or all", string(client.AlertStateFiring), string(client.AlertStateResolved), anyState)
	choiceFlag(cmd, &f.kind, "kind", "", "only alerts of this kind", alertKinds()...)
	cmd.Flags().StringVar(&f.key, "key", "", "only alerts of the key with this `ID`")
	completeFlagWith(cmd, "key", p.completeKeyFlag)
	f.register(cmd, "alerts")
	f.output = outputFlag(cmd)
	return cmd
}

func alertKinds() []string {
	return []string{
		string(client.AlertKindKeyUnused), string(client.AlertKindErrorRate), string(client.AlertKindUnexpectedCountry),
		string(client.AlertKindKeyExpiring), string(client.AlertKindOldSecretUsed),
	}
}

func (p *program) listAlerts(ctx context.Context, f *alertsFlags) error {
	if err := f.check("alerts"); err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	l, err := f.fetch(c, "list alerts", func(size int, cursor *string) (*http.Response, error) {
		return c.api.ListAlerts(ctx, f.parameters(size, cursor))
	})
	if err != nil {
		return err
	}
	if f.output.value == asJSON {
		return p.printListing(l)
	}
	return p.printAlertTable(f, l)
}

func (f *alertsFlags) parameters(size int, cursor *string) *client.ListAlertsParams {
	params := &client.ListAlertsParams{
		Kind: optional[client.AlertKind](f.kind.value), KeyID: optional[string](f.key), Limit: &size, Cursor: cursor,
	}
	if f.state.value != anyState {
		params.State = optional[client.AlertState](f.state.value)
	}
	return params
}

func (p *program) printAlertTable(f *alertsFlags, l listing) error {
	alerts, err := recordsOf[client.Alert](l)
	if err != nil {
		return err
	}
	rows := [][]cell{heading("KIND", "KEY", "STATE", "SINCE", "SUMMARY")}
	for i := range alerts {
		rows = append(rows, alertRow(&alerts[i], p.now()))
	}
	return p.printTable(l, rows, "alerts", f.nothingFound())
}

func (f *alertsFlags) nothingFound() string {
	if f.state.value == string(client.AlertStateFiring) && f.kind.value == "" && f.key == "" {
		return "no alert is firing"
	}
	return "no alert matches"
}

func alertRow(a *client.Alert, now time.Time) []cell {
	return []cell{text(string(a.Kind)), text(a.KeyID), alertStateCell(a), text(shortTime(alertSince(a), now)), text(a.Summary)}
}

// alertSince is when an alert came into its state.
func alertSince(a *client.Alert) *time.Time {
	if a.ResolvedAt != nil {
		return a.ResolvedAt
	}
	return &a.StartedAt
}

func alertStateCell(a *client.Alert) cell {
	c := text(string(a.State))
	switch {
	case a.State == client.AlertStateResolved:
		c.color = green
	case a.Severity == client.AlertSeverityInfo:
		c.color = yellow
	default:
		c.color = red
	}
	return c
}
