package cli

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

type listFlags struct {
	pageFlags
	status  choice
	keyType choice
	owner   string
	query   string
	output  *choice
}

func (p *program) keysListCommand() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "list API keys, newest first",
		Long: `List API keys, newest first. Where a key comes from tells who can change it: a
declared one is changed in its declaration alone.`,
		Example: `  gatectl keys list --status active --query checkout
  gatectl keys list --all --output json`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.listKeys(cmd.Context(), &f) },
	}
	choiceFlag(cmd, &f.status, "status", "", "only keys in this state", "active", "expired", "revoked", "disabled")
	choiceFlag(cmd, &f.keyType, "type", "", "only keys of this type", "user", "system")
	cmd.Flags().StringVar(&f.owner, "owner", "", "only keys of the user with this `ID`")
	cmd.Flags().StringVar(&f.query, "query", "", "only keys with this `TEXT` in their name, description, id or hint")
	completeFlagWith(cmd, "owner", p.completeUsers)
	f.register(cmd, "keys")
	f.output = outputFlag(cmd)
	return cmd
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
		OwnerID: optional[string](f.owner), Q: optional[string](f.query),
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
	if f.status.value != "" || f.keyType.value != "" || f.owner != "" || f.query != "" {
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
