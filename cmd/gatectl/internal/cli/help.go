package cli

import (
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// usageTemplate is cobra's, but shows the flags of the connection at the root
// alone: they are the same everywhere and would bury those of the command.
const usageTemplate = `usage: {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}
{{- if .HasExample}}

examples:
{{.Example}}
{{- end}}
{{- if .HasAvailableSubCommands}}

commands:
{{- range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{- end}}
{{- if .HasAvailableLocalFlags}}

flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{- end}}
{{- if .HasAvailableInheritedFlags}}

` + "`{{.Root.Name}} --help`" + ` lists the flags for the connection and the key that gatectl uses
{{- end}}
`

// useOwnHelp puts the help of the commands, those that cobra adds included,
// into the style of gatectl.
func useOwnHelp(root *cobra.Command) {
	root.SetUsageTemplate(usageTemplate)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Short = "explain a command"
		case "completion":
			c.Short = "print a completion script for a shell"
		}
	}
	lowerShorts(root)
}

func lowerShorts(cmd *cobra.Command) {
	first, size := utf8.DecodeRuneInString(cmd.Short)
	if size > 0 {
		cmd.Short = string(unicode.ToLower(first)) + cmd.Short[size:]
	}
	for _, c := range cmd.Commands() {
		lowerShorts(c)
	}
}
