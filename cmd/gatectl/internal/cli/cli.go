// Package cli is gatectl: the operator's command line, a client of the admin
// API.
//
// The rules of what it prints:
//
//   - What was asked for goes to standard output, everything else to standard
//     error, as "gatectl: error: …", "gatectl: warning: …" or "gatectl: hint: …".
//     No capitalized initials and no full stops at the end.
//   - Every error comes with a hint that says what to do.
//   - The key that gatectl uses itself is never printed, and a key that it made
//     is printed once, on standard output.
//   - What others wrote (names, answers of servers) cannot control the terminal.
//   - The exit status is 0, 1 where something was refused or failed, 2 where
//     the command line is wrong.
package cli

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Main runs gatectl with the arguments and streams of the process and returns
// its exit status. The version may be empty.
func Main(version string) int {
	p := &program{
		version: version,
		stdin:   os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv: os.Getenv, now: time.Now,
	}
	return p.run(context.Background(), os.Args[1:])
}

// Root returns the command line, for those who document it. It runs nothing.
func Root() *cobra.Command {
	return (&program{getenv: func(string) string { return "" }, now: time.Now}).rootCommand()
}

// program is what the commands share.
type program struct {
	version        string
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
	flags          connectionFlags
	given          *pflag.FlagSet // those of the command that runs
}

func (p *program) run(ctx context.Context, args []string) int {
	err := refuseKeyArguments(args)
	if err == nil {
		root := p.rootCommand() //nolint:contextcheck // the commands get the context from cobra
		root.SetArgs(args)
		err = root.ExecuteContext(ctx)
	}
	return p.report(err)
}

func (p *program) rootCommand() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "gatectl",
		Short: "manage the API keys of otlpgate",
		Long: `gatectl manages the API keys of otlpgate, through its admin API.

It authenticates with an API key of its own, never given on the command line:
  1. the file named by --key-file (- reads standard input)
  2. the environment variable ` + keyVariable + `
  3. the key that otlpgate wrote on its first start, ` + defaultDataDir + `/` + adminKeyFile + `
     (--data-dir names another directory)`,
		Example: `  gatectl keys create --name checkout --scope traces:write --expires 90d
  gatectl keys list
  gatectl keys revoke key_6xkq2m7vdn3wslc4hpab`,
		Version:          p.versionText(),
		SilenceErrors:    true,
		SilenceUsage:     true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) { p.given = cmd.Flags() },
	})
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(flagFailure)
	p.flags.register(root.PersistentFlags())
	root.AddCommand(p.keysCommand(), p.usersCommand(), p.auditCommand(), p.importCommand(), p.applyCommand(),
		p.usageCommand(), p.logsCommand(), p.alertsCommand(), p.topCommand(),
		p.introspectCommand(), p.plansCommand(), p.whoamiCommand(), p.backupCommand(), p.restoreCommand(), p.versionCommand())
	useOwnHelp(root)
	return root
}

// group makes a command that only has sub-commands: alone it shows its help, and
// with an unknown word it says so.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		hint := "list the commands with `" + cmd.CommandPath() + " --help`"
		if match, ok := closest(args[0], commandNames(cmd)); ok {
			hint = "did you mean `" + cmd.CommandPath() + " " + match + "`?"
		}
		return misuse(hint, "unknown command %q of %s", args[0], cmd.CommandPath())
	}
	return cmd
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return names
}

// arguments wraps cobra's check of the number of arguments.
func arguments(check cobra.PositionalArgs, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		return misuse(helpHint(cmd), "%s takes %s, got %d", cmd.CommandPath(), want, len(args))
	}
}

func helpHint(cmd *cobra.Command) string {
	return "see `" + cmd.CommandPath() + " --help`"
}
