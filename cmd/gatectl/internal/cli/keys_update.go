package cli

import (
	"context"
	"time"

	"github.com/oapi-codegen/nullable"
	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

type updateFlags struct {
	keyFlags
	noDescription, noRole, noProject, noPlan, noLimit, noAllowIP, noCountry, noExpiry bool
	output                                                                            *choice
}

func (p *program) keysUpdateCommand() *cobra.Command {
	var f updateFlags
	cmd := &cobra.Command{
		Use:   "update ID",
		Short: "change an API key, but not its secret",
		Long: `Change an API key, but not its secret. What is not named stays as it is; a list
that is named replaces the one that was.`,
		Example: `  gatectl keys update key_6xkq2m7vdn3wslc4hpab --scope traces:write --expires 30d
  gatectl keys update key_6xkq2m7vdn3wslc4hpab --plan pro
  gatectl keys update key_6xkq2m7vdn3wslc4hpab --limit ingest:requests:5000/1h,traces:items:1000000/1d
  gatectl keys update key_6xkq2m7vdn3wslc4hpab --no-limit --no-plan
  gatectl keys update key_6xkq2m7vdn3wslc4hpab --no-expiry --no-project`,
		Args:              arguments(cobra.ExactArgs(1), "the id of one key"),
		ValidArgsFunction: p.completeKeys(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			patch, err := f.patch(cmd, p.now())
			if err != nil {
				return err
			}
			return p.updateKey(cmd.Context(), args[0], patch, f.output)
		},
	}
	f.register(p, cmd)
	f.registerClearing(cmd)
	f.output = outputFlag(cmd)
	return cmd
}

func (f *updateFlags) registerClearing(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.noDescription, "no-description", false, "take the description away")
	flags.BoolVar(&f.noRole, "no-role", false, "bound a system key by the least role that covers its scopes")
	flags.BoolVar(&f.noProject, "no-project", false, "let the key send to every project")
	flags.BoolVar(&f.noPlan, "no-plan", false, "return to the default plan")
	flags.BoolVar(&f.noLimit, "no-limit", false, "take the key's own limits away, so that those of its plan alone apply")
	flags.BoolVar(&f.noAllowIP, "no-allow-ip", false, "let the key be used from everywhere")
	flags.BoolVar(&f.noCountry, "no-expect-country", false, "expect the key from every country")
	flags.BoolVar(&f.noExpiry, "no-expiry", false, "let the key never expire, like --expires never")
	for _, name := range []string{"description", "role", "project", "plan", "limit", "allow-ip", "expect-country"} {
		exclusive(cmd, name, "no-"+name)
	}
	exclusive(cmd, "expires", "no-expiry")
}

func (p *program) updateKey(ctx context.Context, id string, patch client.KeyPatch, output *choice) error {
	if err := checkID(id, "key"); err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	answer, err := c.api.UpdateKey(ctx, id, nil, patch) //nolint:bodyclose // result closes it
	key, body, err := result[client.Key](c, "update key "+quoted(id), answer, err)
	if err != nil {
		return err
	}
	return p.showKey(&key, body, output)
}

// patch checks the flags and makes the call's body of them.
func (f *updateFlags) patch(cmd *cobra.Command, now time.Time) (client.KeyPatch, error) {
	if err := f.checkGiven(cmd); err != nil {
		return client.KeyPatch{}, err
	}
	scopes, err := parseScopes(f.scopes)
	if err != nil {
		return client.KeyPatch{}, err
	}
	countries, err := parseCountries(f.countries)
	if err != nil {
		return client.KeyPatch{}, err
	}
	limits, err := parseLimits(f.limits)
	if err != nil {
		return client.KeyPatch{}, err
	}
	patch := client.KeyPatch{
		Name: optional[string](f.name), Scopes: scopes, Preset: optional[client.Preset](f.preset.value),
		Description:       field(cmd, "description", f.description, f.noDescription),
		Role:              field(cmd, "role", client.Role(f.role.value), f.noRole),
		Projects:          field(cmd, "project", f.projects, f.noProject),
		Plan:              field(cmd, "plan", f.plan, f.noPlan),
		Limits:            field(cmd, "limit", limits, f.noLimit),
		AllowedIps:        field(cmd, "allow-ip", f.allowIPs, f.noAllowIP),
		ExpectedCountries: field(cmd, "expect-country", countries, f.noCountry),
	}
	if err := f.setExpiry(&patch, now); err != nil {
		return client.KeyPatch{}, err
	}
	return patch, f.checkChanges(cmd)
}

// checkChanges refuses an update that names no field.
func (f *updateFlags) checkChanges(cmd *cobra.Command) error {
	for _, name := range []string{"name", "description", "scope", "preset", "role", "project", "plan", "limit", "allow-ip", "expect-country", "expires"} {
		if cmd.Flags().Changed(name) {
			return nil
		}
	}
	if f.noDescription || f.noRole || f.noProject || f.noPlan || f.noLimit || f.noAllowIP || f.noCountry || f.noExpiry {
		return nil
	}
	return misuse("name what to change, such as --expires 90d; "+helpHint(cmd), "update key: nothing to change")
}

// field returns the new value of a field, null to clear it, or nothing to leave
// it as it is.
func field[T any](cmd *cobra.Command, flag string, value T, cleared bool) nullable.Nullable[T] {
	switch {
	case cleared:
		return nullable.NewNullNullable[T]()
	case cmd.Flags().Changed(flag):
		return nullable.NewNullableWithValue(value)
	}
	return nil
}

func (f *updateFlags) setExpiry(patch *client.KeyPatch, now time.Time) error {
	if f.noExpiry {
		f.expires = never
	}
	if f.expires == "" {
		return nil
	}
	at, err := parseExpiry(f.expires, now)
	switch {
	case err != nil:
		return err
	case at.IsZero():
		patch.ExpiresAt.SetNull()
	default:
		patch.ExpiresAt.Set(at)
	}
	return nil
}
