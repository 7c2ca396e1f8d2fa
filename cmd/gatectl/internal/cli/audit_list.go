package cli

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

type auditListFlags struct {
	pageFlags
	spanFlags
	target, actor, action string
	outcome               choice
	output                *choice
}

func (p *program) auditListCommand() *cobra.Command {
	var f auditListFlags
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "list who did what to which key or user, newest first",
		Example: `  gatectl audit list --target key_6xkq2m7vdn3wslc4hpab
  gatectl audit list --outcome refused --since 24h
  gatectl audit list --action key.create --since 2026-07-01 --until 2026-07-31 --all -o json`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.listAudit(cmd.Context(), &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.target, "target", "", "only what was done to the key or user with this `ID`")
	flags.StringVar(&f.actor, "actor", "", "only what the key or user with this `ID` did")
	flags.StringVar(&f.action, "action", "", "only this `ACTION`, such as key.create")
	choiceFlag(cmd, &f.outcome, "outcome", "", "only what was done, or only what was refused", "success", "refused")
	f.spanFlags.register(cmd, "only from `WHEN` on")
	f.pageFlags.register(cmd, "records")
	f.output = outputFlag(cmd)
	return cmd
}

func (p *program) listAudit(ctx context.Context, f *auditListFlags) error {
	if err := f.check("records"); err != nil {
		return err
	}
	params, err := f.parameters(p.now())
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	l, err := f.fetch(c, "list audit log", func(size int, cursor *string) (*http.Response, error) {
		params.Limit, params.Cursor = &size, cursor
		return c.api.ListAudit(ctx, params)
	})
	if err != nil {
		return err
	}
	if f.output.value == asJSON {
		return p.printListing(l)
	}
	return p.printAuditTable(l)
}

func (f *auditListFlags) parameters(now time.Time) (*client.ListAuditParams, error) {
	from, to, err := f.parse(now)
	if err != nil {
		return nil, err
	}
	return &client.ListAuditParams{
		Target: optional[string](f.target), Actor: optional[string](f.actor), Action: optional[string](f.action),
		Outcome: optional[client.AuditOutcome](f.outcome.value), From: from, To: to,
	}, nil
}

func (p *program) printAuditTable(l listing) error {
	records, err := recordsOf[client.AuditRecord](l)
	if err != nil {
		return err
	}
	rows := [][]cell{heading("TIME (UTC)", "ACTOR", "ACTION", "TARGET", "OUTCOME", "CHANGES")}
	for i := range records {
		rows = append(rows, auditRow(&records[i]))
	}
	return p.printTable(l, rows, "records", "no record matches")
}

func auditRow(r *client.AuditRecord) []cell {
	target := "-"
	if r.Target != nil {
		target = *r.Target
	}
	return []cell{
		text(r.Time.UTC().Format(time.DateTime)), text(actorText(&r.Actor)), text(r.Action), text(target),
		outcomeCell(r),
		{text: shortChanges(r.Changes)},
	}
}

// actorText names the key and the user that it belongs to.
func actorText(a *client.AuditActor) string {
	switch {
	case a.KeyID == nil && a.UserID == nil:
		return "otlpgate"
	case a.UserID == nil:
		return *a.KeyID
	case a.KeyID == nil:
		return *a.UserID
	}
	return *a.KeyID + " of " + *a.UserID
}

func outcomeCell(r *client.AuditRecord) cell {
	c := text(string(r.Outcome))
	if r.Outcome == client.AuditOutcomeRefused {
		c.color = red
		if r.Reason != nil {
			c.text += ": " + printable(*r.Reason)
		}
	}
	return c
}

// maxChanges is how long the changes of a record can be in a table.
const maxChanges = 80

func shortChanges(changes map[string]client.AuditChange) string {
	return shorten(strings.Join(changeTexts(changes), ", "), maxChanges)
}
