package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
)

type introspectFlags struct {
	tokenFile string
	output    *choice
}

func (p *program) introspectCommand() *cobra.Command {
	var f introspectFlags
	cmd := &cobra.Command{
		Use:   "introspect --token-file FILE",
		Short: "tell whether an API key is valid, and what it may do",
		Long: `Tell whether an API key is valid, and what it may do, as services learn it from
POST /api/v1/introspect. gatectl's own key needs the scope keys:verify or admin.

The key to judge is read from a file or from standard input, never from the
command line. The exit status is 0 where it is valid and 1 where it is not.`,
		Example: `  gatectl introspect --token-file suspect.key
  pbpaste | gatectl introspect --token-file - -o json`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.tokenFile == "" {
				return misuse("name a file that holds the key, or - for standard input", "introspect: --token-file is required")
			}
			return p.introspect(cmd.Context(), &f)
		},
	}
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "`FILE` with the API key to judge, or - for standard input (required)")
	f.output = outputFlag(cmd)
	return cmd
}

func (p *program) introspect(ctx context.Context, f *introspectFlags) error {
	token, err := p.readToken(f.tokenFile)
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	answer, err := c.api.IntrospectWithFormdataBody(ctx, client.IntrospectForm{Token: token.Reveal()}) //nolint:bodyclose // result closes it
	judged, body, err := result[client.Introspection](c, "introspect", answer, err)
	if err != nil {
		return err
	}
	if f.output.value == asJSON {
		err = p.printJSON(body)
	} else {
		err = p.print(p.introspectionText(&judged))
	}
	if err == nil && !judged.Active {
		return status(exitRefused)
	}
	return err
}

// readToken reads the key to judge. Its errors hold nothing of it.
func (p *program) readToken(path string) (credential.Secret, error) {
	const hint = "name a file that holds one API key, or - for standard input"
	if path == "-" && p.flags.keyFile == "-" {
		return credential.Secret{}, misuse("name a file for one of the two", "--token-file - and --key-file - exclude each other")
	}
	text, err := readTokenText(p.stdin, path)
	if err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err
		}
		return credential.Secret{}, refuse(hint, "read the API key to judge from %s: %s", sourceName(path), err)
	}
	key, err := parseCallerKey(text, sourceName(path))
	if err != nil {
		return credential.Secret{}, refuse(hint, "%s", err)
	}
	return key.secret, nil
}

func readTokenText(stdin io.Reader, path string) (string, error) {
	if path == "-" {
		return readKeyText(stdin)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	return readKeyText(file)
}

func sourceName(path string) string {
	if path == "-" {
		return "standard input"
	}
	return "the file " + path
}

func (p *program) introspectionText(i *client.Introspection) string {
	if !i.Active {
		return "not valid: unknown, revoked, expired or disabled\n"
	}
	d := details{{label("status"), cell{text: "valid", color: green}}}
	d.addPointer("id", i.ClientID)
	d.addPointer("name", i.KeyName)
	if i.KeyType != nil && i.Environment != nil {
		d.add("type", string(*i.KeyType)+", "+string(*i.Environment))
	}
	d.addPointer("owner", i.Username)
	d.addPointer("subject", i.Sub)
	if i.Scope != nil {
		d.add("scopes", strings.ReplaceAll(*i.Scope, " ", ", "))
	}
	d.addList("projects", i.Projects)
	d.addPointer("plan", i.Plan)
	d.addList("addresses", i.AllowedIps)
	d.addUnix("made", i.Iat, p.now())
	d.addUnix("ends", i.Exp, p.now())
	return grid(d, p.colored())
}

func (d *details) addList(name string, words *[]string) {
	if words != nil {
		d.add(name, orAll(*words))
	}
}

func (d *details) addUnix(name string, seconds *int64, now time.Time) {
	if seconds != nil {
		at := time.Unix(*seconds, 0)
		d.add(name, fullTime(&at, now))
	}
}
