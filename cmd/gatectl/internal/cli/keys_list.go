package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// The largest page that the admin API gives, and what is listed where nothing
// else is asked for.
const (
	maxPage      = 500
	defaultLimit = 50
)

type listFlags struct {
	status  choice
	keyType choice
	owner   string
	query   string
	limit   int
	all     bool
	output  *choice
}

func (p *program) keysListCommand() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "list API keys, newest first",
		Example: `  gatectl keys list --status active --query checkout
  gatectl keys list --all --output json`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.listKeys(cmd.Context(), &f) },
	}
	choiceFlag(cmd, &f.status, "status", "", "only keys in this state", "active", "expired", "revoked", "disabled")
	choiceFlag(cmd, &f.keyType, "type", "", "only keys of this type", "user", "system")
	cmd.Flags().StringVar(&f.owner, "owner", "", "only keys of the user with this `ID`")
	cmd.Flags().StringVar(&f.query, "query", "", "only keys with this `TEXT` in their name, description, id or hint")
	cmd.Flags().IntVar(&f.limit, "limit", defaultLimit, "the largest `NUMBER` of keys to list")
	cmd.Flags().BoolVar(&f.all, "all", false, "list all keys")
	f.output = outputFlag(cmd)
	exclusive(cmd, "limit", "all")
	return cmd
}

func (p *program) listKeys(ctx context.Context, f *listFlags) error {
	if f.limit < 1 {
		return misuse("use --all to list all keys", "--limit %d: must be at least 1", f.limit)
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	page, err := c.fetchKeys(ctx, f)
	if err != nil {
		return err
	}
	if f.output.value == asJSON {
		return p.printKeyPage(page)
	}
	return p.printKeyTable(f, page)
}

// keyPage is a listing as the admin API gives it, with the keys as they came.
type keyPage struct {
	Data       []json.RawMessage `json:"data"`
	NextCursor *string           `json:"nextCursor"`
}

// fetchKeys reads pages until there are as many keys as were asked for.
func (c *connection) fetchKeys(ctx context.Context, f *listFlags) (keyPage, error) {
	all := keyPage{Data: []json.RawMessage{}}
	for {
		size := maxPage
		if !f.all {
			size = min(maxPage, f.limit-len(all.Data))
		}
		answer, err := c.api.ListKeys(ctx, f.parameters(size, all.NextCursor)) //nolint:bodyclose // result closes it
		page, _, err := result[keyPage](c, "list keys", answer, err)
		if err != nil {
			return keyPage{}, err
		}
		all.Data = append(all.Data, page.Data...)
		all.NextCursor = page.NextCursor
		if page.NextCursor == nil || (!f.all && len(all.Data) >= f.limit) {
			return all, nil
		}
	}
}

func (f *listFlags) parameters(size int, cursor *string) *client.ListKeysParams {
	return &client.ListKeysParams{
		Status: optional[client.KeyStatus](f.status.value), Type: optional[client.KeyType](f.keyType.value),
		OwnerID: optional[string](f.owner), Q: optional[string](f.query),
		Limit: &size, Cursor: cursor,
	}
}

func (p *program) printKeyPage(page keyPage) error {
	body, err := json.Marshal(page)
	if err != nil {
		return refuse("set --admin-url to the admin endpoint of otlpgate", "read the listed keys: %s", err)
	}
	return p.printJSON(body)
}

func (p *program) printKeyTable(f *listFlags, page keyPage) error {
	rows := [][]cell{heading("ID", "NAME", "TYPE", "STATUS", "HINT", "SCOPES", "PLAN", "EXPIRES", "CREATED")}
	for _, raw := range page.Data {
		var key client.Key
		if err := json.Unmarshal(raw, &key); err != nil {
			return refuse("use the gatectl of the same version as otlpgate", "read a listed key: %s", err)
		}
		rows = append(rows, p.keyRow(&key))
	}
	if len(page.Data) == 0 {
		p.note("%s", f.nothingFound())
		return nil
	}
	if err := p.print(grid(rows, p.colored())); err != nil {
		return err
	}
	if page.NextCursor != nil {
		p.note("there are more than these %d keys: see them with --all, or with a larger --limit", len(page.Data))
	}
	return nil
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
		text(key.ID), text(shorten(printable(key.Name), maxNameColumn)), text(string(key.Type)), statusCell(key.Status), text(key.Hint),
		text(shortScopes(key.Scopes)), text(key.Plan), text(shortTime(key.ExpiresAt, p.now())), text(shortTime(&key.CreatedAt, p.now())),
	}
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
