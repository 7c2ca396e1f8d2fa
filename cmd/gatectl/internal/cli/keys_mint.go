package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/credential"
)

type mintFlags struct {
	kind   choice
	prefix string
	quiet  bool
	output *choice
}

func (p *program) keysMintCommand() *cobra.Command {
	f := mintFlags{kind: choice{value: string(credential.Sys)}}
	cmd := &cobra.Command{
		Use:   "mint",
		Short: "make an API key for the configuration of the collector, offline",
		Long: `Make an API key and its digest for the configuration of the collector. Nothing is
sent anywhere: the key opens nothing until it, or its digest, is configured.`,
		Example: `  gatectl keys mint
  gatectl keys mint --kind live --output json`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(*cobra.Command, []string) error { return p.mintKey(&f) },
	}
	choiceFlag(cmd, &f.kind, "kind", "", "live and test make user keys, sys makes system keys", "live", "test", "sys")
	cmd.Flags().StringVar(&f.prefix, "prefix", credential.DefaultPrefix, "first `PART` of the key, as configured under credentials")
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print the key and nothing else, for scripts")
	f.output = outputFlag(cmd)
	exclusive(cmd, "quiet", "output")
	return cmd
}

func (p *program) mintKey(f *mintFlags) error {
	format := credential.Format{Prefix: f.prefix}
	if err := format.Validate(); err != nil || f.prefix == "" {
		return misuse("leave it out for "+credential.DefaultPrefix, "--prefix %q: must be a lower-case letter and up to 15 lower-case letters or digits", f.prefix)
	}
	secret := format.Mint(credential.Kind(f.kind.value))
	switch {
	case f.quiet:
		return p.print(secret.Reveal() + "\n")
	case f.output.value == asJSON:
		return p.printMinted(secret)
	}
	return p.print(p.mintedText(f.prefix, secret))
}

// mintedKey is what -o json prints.
type mintedKey struct {
	Key    string            `json:"key"`
	Kind   credential.Kind   `json:"kind"`
	Digest credential.Digest `json:"digest"`
	Hint   string            `json:"hint"`
}

func (p *program) printMinted(secret credential.Secret) error {
	body, err := json.Marshal(mintedKey{
		Key: secret.Reveal(), Kind: secret.Kind(), Digest: secret.Digest(), Hint: secret.Hint(),
	})
	if err != nil {
		return refuse("report this", "write the key as JSON: %s", err)
	}
	return p.printJSON(body)
}

func (p *program) mintedText(prefix string, secret credential.Secret) string {
	colored := p.colored()
	var b strings.Builder
	b.WriteString("minted, and known to nobody else\n\n")
	b.WriteString("  " + paint(secret.Reveal(), bold, colored) + "\n\n")
	b.WriteString(paint("copy the key now: it is shown this once and kept nowhere", yellow, colored) + "\n\n")
	b.WriteString(grid([][]cell{{text("  digest"), text(secret.Digest().String())}, {text("  hint"), text(secret.Hint())}}, false))
	if secret.Kind() == credential.Sys {
		b.WriteString("\n" + bootstrapYAML(prefix, secret))
	}
	b.WriteString("\n" + declaredYAML(prefix, secret))
	return b.String()
}

// bootstrapYAML keeps the key out of the file, which is shared more widely
// than the environment of the collector.
func bootstrapYAML(prefix string, secret credential.Secret) string {
	return fmt.Sprintf(`# as the administrator's first key: the collector takes it from its environment
#   OTLPGATE_ADMIN_KEY=%s
extensions:
  apikeyauth:
%s    bootstrap:
      admin_key: ${env:OTLPGATE_ADMIN_KEY}
`, secret.Reveal(), prefixYAML(prefix))
}

// declaredYAML needs the digest alone.
func declaredYAML(prefix string, secret credential.Secret) string {
	return fmt.Sprintf(`# as a declared key: the configuration holds its digest alone
extensions:
  apikeyauth:
%s    keys:
      - name: CHANGE-ME
        digest: %s
        hint: %q
%s        scopes: [traces:write]
`, prefixYAML(prefix), secret.Digest(), secret.Hint(), kindYAML(secret.Kind()))
}

// prefixYAML is needed where the prefix is not the default.
func prefixYAML(prefix string) string {
	if prefix == credential.DefaultPrefix {
		return ""
	}
	return "    credentials:\n      prefix: " + prefix + "\n"
}

func kindYAML(kind credential.Kind) string {
	if kind == credential.Sys {
		return "        type: system\n"
	}
	return "        type: user\n        environment: " + string(kind) + "\n"
}
