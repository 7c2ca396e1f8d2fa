package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func (p *program) keysGetCommand() *cobra.Command {
	var output *choice
	cmd := &cobra.Command{
		Use:     "get ID",
		Aliases: []string{"show"},
		Short:   "show an API key, without its secret",
		Long: `Show an API key, without its secret: what it may do, what it has spent of its
limits and, while two secrets are valid after a rotation, who still uses the old
one.`,
		Args:              arguments(cobra.ExactArgs(1), "the id of one key"),
		ValidArgsFunction: p.completeKeys(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.connect()
			if err != nil {
				return err
			}
			key, body, err := c.getKey(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return p.showKey(&key, body, output)
		},
	}
	output = outputFlag(cmd)
	return cmd
}

func (c *connection) getKey(ctx context.Context, id string) (client.Key, []byte, error) {
	if err := checkID(id, "key"); err != nil {
		return client.Key{}, nil, err
	}
	answer, err := c.api.GetKey(ctx, id) //nolint:bodyclose // result closes it
	return result[client.Key](c, "get key "+quoted(id), answer, err)
}

// checkID refuses what would be another path of the API.
func checkID(id, kind string) error {
	if id == "" || id == "." || id == ".." {
		return misuse("find the id with `gatectl "+kind+"s list`", "%s id %q: must be such as %s_6xkq2m7vdn3wslc4hpab", kind, id, kind)
	}
	return nil
}

// showKey prints a key in the format that was asked for.
func (p *program) showKey(key *client.Key, body []byte, format *choice) error {
	if format.value == asJSON {
		return p.printJSON(body)
	}
	return p.print(grid(p.keyDetails(key), p.colored()))
}

// keyDetails lists the fields of a key; those that say nothing are left out.
func (p *program) keyDetails(key *client.Key) [][]cell {
	now := p.now()
	d := details{}
	d.add("id", key.ID)
	d.add("name", key.Name)
	d.add("description", key.Description)
	d = append(d, []cell{label("status"), statusCell(key.Status)})
	d.add("hint", key.Hint)
	d.add("type", string(key.Type)+", "+string(key.Environment))
	d.addPointer("owner", key.OwnerID)
	d.addPointer("role", (*string)(key.Role))
	d.add("scopes", joined(key.Scopes))
	d.add("projects", orAll(key.Projects))
	d.add("plan", planText(key))
	d.addQuotas(key, now)
	d.add("addresses", orAll(key.AllowedIps))
	d.add("countries", joined(key.ExpectedCountries))
	d.add("created", fullTime(&key.CreatedAt, now)+createdBy(key))
	d.add("expires", fullTime(key.ExpiresAt, now))
	d.add("last used", fullTime(key.LastUsedAt, now))
	if key.RevokedAt != nil {
		d.add("revoked", fullTime(key.RevokedAt, now))
	}
	if key.Declared {
		d.add("declared", "in the configuration of the collector or an applied document, and changed there")
	}
	d.addSecrets(key.Secrets, now)
	return d
}

func createdBy(key *client.Key) string {
	if key.CreatedBy == nil {
		return " by otlpgate itself"
	}
	return " by " + *key.CreatedBy
}

// details are the rows of a description: a label and a value each.
type details [][]cell

func label(s string) cell { return cell{text: s, color: bold} }

func (d *details) add(name, value string) {
	if value != "" {
		*d = append(*d, []cell{label(name), text(value)})
	}
}

func (d *details) addPointer(name string, value *string) {
	if value != nil {
		d.add(name, *value)
	}
}

// planText names the plan and the limits of the key's own.
func planText(key *client.Key) string {
	if len(key.Limits) == 0 {
		return key.Plan
	}
	return key.Plan + ", with limits of its own: " + strings.Join(limitTexts(key.Limits), ", ")
}

// addQuotas lists what is spent of the limits, where the answer tells.
func (d *details) addQuotas(key *client.Key, now time.Time) {
	if key.Quotas == nil {
		return
	}
	name := "limits"
	for _, line := range quotaLines(key, now) {
		*d = append(*d, []cell{label(name), {text: line}})
		name = ""
	}
}

// addSecrets lists the secrets of a key that was rotated, each with its last
// use: whoever still uses the old one has to be told before it ends.
func (d *details) addSecrets(secrets []client.KeySecret, now time.Time) {
	if len(secrets) < 2 {
		return
	}
	name := "new secret"
	for i := range secrets {
		d.add(name, secretLine(&secrets[i], now))
		name = "old secret"
	}
}

func secretLine(s *client.KeySecret, now time.Time) string {
	line := s.Hint + ", made " + distanceText(s.CreatedAt.Sub(now)) + ", "
	if s.LastUsedAt == nil {
		line += "never used"
	} else {
		line += "used " + distanceText(s.LastUsedAt.Sub(now))
	}
	switch {
	case s.ExpiresAt == nil:
	case s.ExpiresAt.After(now):
		line += ", ends " + preciseText(s.ExpiresAt.Sub(now))
	default:
		line += ", ended " + distanceText(s.ExpiresAt.Sub(now))
	}
	return line
}
