package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/snippet"
)

// showFlags say how a new secret is shown.
type showFlags struct {
	otlpEndpoint string
	quiet        bool
	output       *choice
}

func (f *showFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.otlpEndpoint, "otlp-endpoint", snippet.DefaultEndpoint, "base `URL` of OTLP/HTTP, for the settings of exporters")
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print the key and nothing else, for scripts")
	f.output = outputFlag(cmd)
	exclusive(cmd, "quiet", "output")
}

// parseOTLPEndpoint reads the flag of that name.
func parseOTLPEndpoint(text string) (snippet.Endpoint, error) {
	endpoint, err := snippet.ParseEndpoint(text)
	if err != nil {
		return endpoint, misuse("give the base URL of OTLP/HTTP, as in "+snippet.DefaultEndpoint, "--otlp-endpoint %s", err)
	}
	return endpoint, nil
}

// secretMade is a key that the server has just made a secret of.
type secretMade struct {
	verb     string // "created" or "rotated"
	key      *client.Key
	body     []byte // the answer
	endpoint snippet.Endpoint
	// former says what becomes of the secret before it; empty where there was
	// none.
	former string
}

// showSecret prints the key. Where that fails nobody will ever hold it.
func (p *program) showSecret(f *showFlags, m secretMade) error {
	var err error
	switch {
	case f.quiet:
		err = p.print(*m.key.Key + "\n")
	case f.output.value == asJSON:
		err = p.printJSON(m.body)
	default:
		err = p.print(p.secretText(m))
	}
	if err != nil {
		return refuse("make another with `gatectl keys rotate "+printable(m.key.ID)+" --now`, or revoke the key with `gatectl keys revoke "+printable(m.key.ID)+"`",
			"%s %s but could not show its secret: %s", m.verb, m.key.ID, err)
	}
	return nil
}

func (p *program) secretText(m secretMade) string {
	colored := p.colored()
	var b strings.Builder
	b.WriteString(m.verb + " " + nameOf(m.key) + "\n\n")
	b.WriteString("  " + paint(printable(*m.key.Key), bold, colored) + "\n\n")
	b.WriteString(paint("copy the key now: it is shown this once and cannot be shown again", yellow, colored) + "\n")
	if m.former != "" {
		b.WriteString(paint(m.former, yellow, colored) + "\n")
	}
	b.WriteString("\n" + p.summary(m.key))
	settings := snippet.Settings{Endpoint: m.endpoint, Key: *m.key.Key, Scopes: scopeSet(m.key.Scopes), Projects: m.key.Projects}
	if settings.Sends() {
		b.WriteString("\nready to paste, with the key in it: keep it out of version control\n")
	}
	for _, s := range settings.Snippets() {
		b.WriteString("\n" + s.Text)
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
