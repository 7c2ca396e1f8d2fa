package cli

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/snippet"
)

// createFlags are the flags of `keys create`.
type createFlags struct {
	keyFlags
	showFlags
	keyType     choice
	environment choice
	owner       string
}

func (p *program) keysCreateCommand() *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:   "create --name NAME (--scope SCOPE… | --preset PRESET)",
		Short: "create an API key and show it, this once",
		Long: `Create an API key and show it, this once. For a key that may send telemetry the
settings of exporters come with it, ready to paste.

Where no answer comes gatectl asks once more, in a way that makes no second key.`,
		Example: `  gatectl keys create --name checkout --scope traces:write --project checkout --expires 90d
  gatectl keys create --name ci --env test --preset read-write
  gatectl keys create --name batch --preset read-write --limit ingest:requests:5000/1h
  gatectl keys create --name terraform --type system --preset admin --plan enterprise --allow-ip 10.0.0.0/8
  KEY=$(gatectl keys create --quiet --name checkout --scope traces:write)`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			request, err := f.request(cmd, p.now())
			if err != nil {
				return err
			}
			return p.createKey(cmd.Context(), request, &f)
		},
	}
	f.keyFlags.register(p, cmd)
	choiceFlag(cmd, &f.keyType, "type", "", "a user key belongs to a user, a system key stands for itself (default user)", "user", "system")
	choiceFlag(cmd, &f.environment, "env", "", "production or development (default live)", "live", "test")
	cmd.Flags().StringVar(&f.owner, "owner", "", "`ID` of the user that a user key belongs to (default your own)")
	completeFlagWith(cmd, "owner", p.completeUsers)
	f.showFlags.register(cmd)
	return cmd
}

func (p *program) createKey(ctx context.Context, request client.KeyCreate, f *createFlags) error {
	endpoint, err := parseOTLPEndpoint(f.otlpEndpoint)
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	key, body, err := c.makeSecret(ctx, "create key "+quoted(f.name), func(id *string) (*http.Response, error) {
		return c.api.CreateKey(ctx, &client.CreateKeyParams{IdempotencyKey: id}, request)
	})
	if err != nil {
		return doubtful(err, "it may have been created all the same: look with `gatectl keys list --query "+snippet.ShellQuote(f.name)+"`, and revoke what nobody holds")
	}
	return p.showSecret(&f.showFlags, secretMade{verb: "created", key: &key, body: body, endpoint: endpoint})
}

// makeSecret sends a call that answers with a new secret; see once.
func (c *connection) makeSecret(ctx context.Context, operation string, send func(idempotencyKey *string) (*http.Response, error)) (key client.Key, body []byte, err error) {
	err = c.once(ctx, func(id string) error {
		answer, err := send(&id) //nolint:bodyclose // result closes it
		key, body, err = result[client.Key](c, operation, answer, err)
		if err == nil && key.Key == nil {
			return c.strangerFailure(operation, answer.Status)
		}
		return err
	})
	return key, body, err
}

// request checks the flags and makes the call's body of them.
func (f *createFlags) request(cmd *cobra.Command, now time.Time) (client.KeyCreate, error) {
	if err := f.checkRequired(cmd); err != nil {
		return client.KeyCreate{}, err
	}
	if err := f.checkGiven(cmd); err != nil {
		return client.KeyCreate{}, err
	}
	scopes, err := parseScopes(f.scopes)
	if err != nil {
		return client.KeyCreate{}, err
	}
	countries, err := parseCountries(f.countries)
	if err != nil {
		return client.KeyCreate{}, err
	}
	limits, err := parseLimits(f.limits)
	if err != nil {
		return client.KeyCreate{}, err
	}
	expiresAt, err := f.expiresAt(now)
	if err != nil {
		return client.KeyCreate{}, err
	}
	return client.KeyCreate{
		Name: f.name, Description: optional[string](f.description),
		Type: optional[client.KeyType](f.keyType.value), Environment: optional[client.Environment](f.environment.value),
		OwnerID: optional[string](f.owner), Role: optional[client.Role](f.role.value),
		Scopes: scopes, Preset: optional[client.Preset](f.preset.value),
		Projects: f.projects, Plan: optional[string](f.plan), Limits: limits,
		AllowedIps: f.allowIPs, ExpectedCountries: countries, ExpiresAt: expiresAt,
	}, nil
}

// expiresAt returns nil for a key that never expires.
func (f *createFlags) expiresAt(now time.Time) (*time.Time, error) {
	if f.expires == "" {
		return nil, nil
	}
	at, err := parseExpiry(f.expires, now)
	if err != nil || at.IsZero() {
		return nil, err
	}
	return &at, nil
}

func (f *createFlags) checkRequired(cmd *cobra.Command) error {
	flags := cmd.Flags()
	switch {
	case !flags.Changed("name"):
		return misuse("say what the key is for, as in --name checkout", "create key: --name is required")
	case !flags.Changed("scope") && !flags.Changed("preset"):
		return misuse("to send traces give --scope traces:write; see --help for the others",
			"create key %s: --scope or --preset is required", quoted(f.name))
	case flags.Changed("owner") && f.owner == "":
		return emptyFlag(cmd, "owner")
	}
	return nil
}
