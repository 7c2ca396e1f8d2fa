package cli

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

type listFlags struct {
	pageFlags
	status      choice
	keyType     choice
	environment choice
	owner       string
	plan        string
	query       string
	sort        choice
	output      *choice
}

func (p *program) keysListCommand() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "list API keys, newest first",
		Long: `List API keys, newest first unless --sort says otherwise: it names a field, with a
- before it to descend. A key that was never used counts as used before any other,
one that never expires as expiring after any other. Where a key comes from tells
who can change it: a declared one is changed in its declaration alone.`,
		Example: `  gatectl keys list --status active --query checkout
  gatectl keys list --env live --sort lastUsedAt
  gatectl keys list --all --output json`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.listKeys(cmd.Context(), &f) },
	}
	choiceFlag(cmd, &f.status, "status", "", "only keys in this state", "active", "expired", "revoked", "disabled")
	choiceFlag(cmd, &f.keyType, "type", "", "only keys of this type", "user", "system")
	choiceFlag(cmd, &f.environment, "env", "", "only keys of this environment", "live", "test")
	cmd.Flags().StringVar(&f.owner, "owner", "", "only keys of the user with this `ID`")
	cmd.Flags().StringVar(&f.query, "query", "", "only keys with this `TEXT` in their name, description, id or hint, or their owner's name or email")
	cmd.Flags().StringVar(&f.plan, "plan", "", "only keys on this `PLAN`; see gatectl plans")
	choiceFlag(cmd, &f.sort, "sort", "", "what the keys are sorted by (default -createdAt)", keySorts...)
	completeFlagWith(cmd, "owner", p.completeUsers)
	completeFlagWith(cmd, "plan", p.completePlan)
	cmd.Flags().SetNormalizeFunc(environmentIsEnv)
	f.register(cmd, "keys")
	f.output = outputFlag(cmd)
	return cmd
}

// keySorts are the orders that the admin API knows.
var keySorts = []string{"createdAt", "-createdAt", "name", "-name", "lastUsedAt", "-lastUsedAt", "expiresAt", "-expiresAt"}

// environmentIsEnv lets --env be named like the parameter of the admin API too.
func environmentIsEnv(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "environment" {
		name = "env"
	}
	return pflag.NormalizedName(name)
}

func (p *program) listKeys(ctx context.Context, f *listFlags) error {
	if err := f.check("keys"); err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	keys, err := c.fetchKeys(ctx, f)
	if err != nil {
		return err
	}
	if f.output.value == asJSON {
		return p.printListing(keys)
	}
	return p.printKeyTable(f, keys)
}

func (c *connection) fetchKeys(ctx context.Context, f *listFlags) (listing, error) {
	return f.fetch(c, "list keys", func(size int, cursor *string) (*http.Response, error) {
		return c.api.ListKeys(ctx, f.parameters(size, cursor))
	})
}

func (f *listFlags) parameters(size int, cursor *string) *client.ListKeysParams {
	return &client.ListKeysParams{
		Status: optional[client.KeyStatus](f.status.value), Type: optional[client.KeyType](f.keyType.value),
		Environment: optional[client.Environment](f.environment.value),
		OwnerID:     optional[string](f.owner), Plan: optional[string](f.plan), Q: optional[string](f.query),
		Sort:  optional[client.KeySort](f.sort.value),
		Limit: &size, Cursor: cursor,
	}
}

func (p *program) printKeyTable(f *listFlags, l listing) error {
	keys, err := recordsOf[client.Key](l)
	if err != nil {
		return err
	}
	rows := [][]cell{heading("ID", "NAME", "TYPE", "FROM", "STATUS", "HINT", "SCOPES", "PLAN", "EXPIRES", "CREATED")}
	for i := range keys {
		rows = append(rows, p.keyRow(&keys[i]))
	}
	return p.printTable(l, rows, "keys", f.nothingFound())
}

func (f *listFlags) nothingFound() string {
	if f.status.value+f.keyType.value+f.environment.value+f.owner+f.plan+f.query != "" {
		return "no key matches"
	}
	return "there are no keys yet: create one with `gatectl keys create`"
}

const maxNameColumn = 40

func (p *program) keyRow(key *client.Key) []cell {
	return []cell{
		text(key.ID), text(shorten(printable(key.Name), maxNameColumn)), typeCell(key.Type), originCell(key),
		statusCell(key.Status), text(key.Hint),
		text(shortScopes(key.Scopes)), text(key.Plan), text(shortTime(key.ExpiresAt, p.now())), text(shortTime(&key.CreatedAt, p.now())),
	}
}

// typeCell makes system keys stand out, which outlive whoever made them.
func typeCell(t client.KeyType) cell {
	c := text(string(t))
	if t == client.KeyTypeSystem {
		c.color = bold
	}
	return c
}

// originCell tells declared keys from those that were made through the API, and
// from the one that otlpgate made itself.
func originCell(key *client.Key) cell {
	switch {
	case key.Declared:
		return cell{text: "declaration", color: bold}
	case key.CreatedBy == nil:
		return text("first start")
	}
	return text("API")
}

func statusCell(status client.KeyStatus) cell {
	c := text(string(status))
	switch status {
	case client.KeyStatusActive:
		c.color = green
	case client.KeyStatusExpired, client.KeyStatusDisabled:
		c.color = yellow
	case client.KeyStatusRevoked:
		c.color = red
	}
	return c
}
