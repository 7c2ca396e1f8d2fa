package cli

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// createFlags are the flags of `keys create`.
type createFlags struct {
	keyFlags
	keyType      choice
	environment  choice
	owner        string
	otlpEndpoint string
	quiet        bool
	output       *choice
}

func (p *program) keysCreateCommand() *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:   "create --name NAME (--scope SCOPE… | --preset PRESET)",
		Short: "create an API key and show it, this once",
		Long: `Create an API key and show it, this once. For a key that may send telemetry the
settings of exporters come with it, ready to paste.`,
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
	f.register(p, cmd)
	choiceFlag(cmd, &f.keyType, "type", "", "a user key belongs to a user, a system key stands for itself (default user)", "user", "system")
	choiceFlag(cmd, &f.environment, "env", "", "production or development (default live)", "live", "test")
	cmd.Flags().StringVar(&f.owner, "owner", "", "`ID` of the user that a user key belongs to (default your own)")
	cmd.Flags().StringVar(&f.otlpEndpoint, "otlp-endpoint", defaultOTLPEndpoint, "base `URL` of OTLP/HTTP, for the settings of exporters")
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print the key and nothing else, for scripts")
	f.output = outputFlag(cmd)
	exclusive(cmd, "quiet", "output")
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
	operation := "create key " + quoted(f.name)
	answer, err := c.api.CreateKey(ctx, request) //nolint:bodyclose // result closes it
	if err != nil {
		return c.uncertain(operation, err, f.name)
	}
	key, body, err := result[client.Key](c, operation, answer, nil)
	if err != nil {
		return err
	}
	if key.Key == nil || answer.StatusCode != http.StatusCreated {
		return c.strangerFailure(operation, answer.Status)
	}
	return p.showCreated(f, &key, body, endpoint)
}

// uncertain is for calls that may have been carried out although no answer
// came.
func (c *connection) uncertain(operation string, err error, name string) error {
	f := c.transportFailure(operation, err)
	if unanswered(err) {
		f.hint = "it may have been created all the same: look with `gatectl keys list --query " + shellQuote(name) + "`, and revoke what nobody holds"
	}
	return f
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

// showCreated prints the key. Where that fails nobody will ever hold it.
func (p *program) showCreated(f *createFlags, key *client.Key, body []byte, endpoint otlpEndpoint) error {
	var err error
	switch {
	case f.quiet:
		err = p.print(*key.Key + "\n")
	case f.output.value == asJSON:
		err = p.printJSON(body)
	default:
		err = p.print(p.createdText(key, endpoint))
	}
	if err != nil {
		return refuse("revoke it with `gatectl keys revoke "+printable(key.ID)+"`, and create another",
			"created %s but could not show its secret: %s", key.ID, err)
	}
	return nil
}

func (p *program) createdText(key *client.Key, endpoint otlpEndpoint) string {
	colored := p.colored()
	var b strings.Builder
	b.WriteString("created " + nameOf(key) + "\n\n")
	b.WriteString("  " + paint(printable(*key.Key), bold, colored) + "\n\n")
	b.WriteString(paint("copy the key now: it is shown this once and cannot be shown again", yellow, colored) + "\n\n")
	b.WriteString(p.summary(key))
	if settings, ok := settingsFor(key, endpoint); ok {
		b.WriteString("\nready to paste, with the key in it: keep it out of version control\n\n")
		b.WriteString(settings.all())
	}
	return b.String()
}

// summary says in a few lines what a new key may do.
func (p *program) summary(key *client.Key) string {
	rows := [][]cell{
		{text("  type"), text(string(key.Type) + ", " + string(key.Environment))},
		{text("  scopes"), text(joined(key.Scopes))},
		{text("  projects"), text(orAll(key.Projects))},
		{text("  plan"), text(planText(key))},
		{text("  expires"), text(fullTime(key.ExpiresAt, p.now()))},
	}
	if key.OwnerID != nil {
		rows = append(rows[:1], append([][]cell{{text("  owner"), text(*key.OwnerID)}}, rows[1:]...)...)
	}
	if len(key.AllowedIps) > 0 {
		rows = append(rows, []cell{text("  addresses"), text(joined(key.AllowedIps))})
	}
	return grid(rows, false)
}
