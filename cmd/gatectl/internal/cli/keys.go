package cli

import (
	"slices"

	"github.com/spf13/cobra"
)

func (p *program) keysCommand() *cobra.Command {
	keys := group(&cobra.Command{
		Use:     "keys",
		Aliases: []string{"key"},
		Short:   "create, list, change, rotate and revoke API keys",
	})
	keys.AddCommand(p.keysCreateCommand(), p.keysListCommand(), p.keysGetCommand(),
		p.keysUpdateCommand(), p.keysRotateCommand(), p.keysRevokeCommand(), p.keysMintCommand(), p.keysUsageCommand())
	return keys
}

// keyFlags are the flags for the fields of a key that can be set at any time.
type keyFlags struct {
	name        string
	description string
	role        choice
	scopes      []string
	preset      choice
	projects    []string
	plan        string
	limits      []string
	allowIPs    []string
	countries   []string
	expires     string
}

func (k *keyFlags) register(p *program, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&k.name, "name", "", "`NAME` that says what the key is for")
	flags.StringVar(&k.description, "description", "", "`TEXT` that says more")
	flags.StringSliceVar(&k.scopes, "scope", nil, "`SCOPE` that the key has, such as traces:write; repeat the flag or separate by commas")
	choiceFlag(cmd, &k.preset, "preset", "", "scopes by a name, in place of --scope", presetNames()...)
	choiceFlag(cmd, &k.role, "role", "", "bounds the scopes of a system key (default the least that covers them)", "viewer", "member", "admin")
	flags.StringSliceVar(&k.projects, "project", nil, "`PROJECT` that the key may send to; repeat the flag or separate by commas (default all)")
	flags.StringVar(&k.plan, "plan", "", "`PLAN` whose limits apply, such as free, pro or enterprise; see gatectl plans")
	flags.StringSliceVar(&k.limits, "limit", nil, "`TRAFFIC:UNIT:MAX/WINDOW`, such as ingest:requests:100/1m, in place of the plan's limits on that traffic and unit; repeat the flag or separate by commas")
	flags.StringSliceVar(&k.allowIPs, "allow-ip", nil, "address or `CIDR` that the key may be used from; repeat the flag or separate by commas (default all)")
	flags.StringSliceVar(&k.countries, "expect-country", nil, "`COUNTRY` (such as DE) that the key is expected to be used from; others raise an alert")
	flags.StringVar(&k.expires, "expires", "", "`WHEN` the key ends: a span (90d), a day (2027-01-31), a time (RFC 3339) or never")
	completeFlag(cmd, "scope", scopeNames())
	completeFlagWith(cmd, "plan", p.completePlan)
	exclusive(cmd, "scope", "preset")
}

// checkGiven refuses flags that were given without a value, which most often
// is a variable of a script that is not set. An empty list would not narrow
// the key but open it.
func (k *keyFlags) checkGiven(cmd *cobra.Command) error {
	given := []struct {
		flag   string
		values []string
	}{
		{"name", []string{k.name}},
		{"scope", k.scopes},
		{"project", k.projects},
		{"plan", []string{k.plan}},
		{"limit", k.limits},
		{"allow-ip", k.allowIPs},
		{"expect-country", k.countries},
		{"expires", []string{k.expires}},
	}
	for _, g := range given {
		if cmd.Flags().Changed(g.flag) && (len(g.values) == 0 || slices.Contains(g.values, "")) {
			return emptyFlag(cmd, g.flag)
		}
	}
	return nil
}
