package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// pages returns the page of the command and of all below it, by their file
// names. They hold no date, which would make every page differ from what was
// written before.
func pages(root *cobra.Command) map[string]string {
	all := map[string]string{}
	add(root, all)
	return all
}

func add(cmd *cobra.Command, all map[string]string) {
	cmd.InitDefaultHelpFlag()
	all[pageName(cmd)+".1"] = page(cmd)
	for _, sub := range subCommands(cmd) {
		add(sub, all)
	}
}

func subCommands(cmd *cobra.Command) []*cobra.Command {
	var commands []*cobra.Command
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			commands = append(commands, sub)
		}
	}
	return commands
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// page is in the language of man(7).
func page(cmd *cobra.Command) string {
	var b strings.Builder
	b.WriteString(`.TH "` + escape(strings.ToUpper(pageName(cmd))) + `" "1" "" "gatectl" "otlpgate"` + "\n")
	section(&b, "NAME", escape(pageName(cmd))+` \- `+marked(cmd.Short)+"\n")
	section(&b, "SYNOPSIS", synopsis(cmd))
	section(&b, "DESCRIPTION", prose(cmd.Long))
	section(&b, "COMMANDS", commands(cmd))
	section(&b, "OPTIONS", options(cmd.NonInheritedFlags()))
	section(&b, "EXAMPLES", verbatim(strings.Split(cmd.Example, "\n")))
	section(&b, "SEE ALSO", seeAlso(cmd))
	return b.String()
}

func section(b *strings.Builder, title, text string) {
	if text != "" {
		b.WriteString(".SH " + title + "\n" + text)
	}
}

func synopsis(cmd *cobra.Command) string {
	path := cmd.CommandPath()
	rest := " [OPTIONS]"
	if cmd.HasAvailableSubCommands() {
		rest = " COMMAND"
	} else if _, arguments, ok := strings.Cut(cmd.Use, " "); ok {
		rest = " " + arguments + rest
	}
	return `\fB` + escape(path) + `\fR` + escape(rest) + "\n"
}

// prose keeps indented lines as they are and lets all others flow.
func prose(text string) string {
	if text == "" {
		return ""
	}
	var b strings.Builder
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		var indented []string
		for line := range strings.SplitSeq(paragraph, "\n") {
			if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
				indented = append(indented, line)
				continue
			}
			b.WriteString(verbatim(indented) + marked(line) + "\n")
			indented = nil
		}
		b.WriteString(verbatim(indented))
	}
	return b.String()
}

func verbatim(lines []string) string {
	if strings.Join(lines, "") == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(".nf\n")
	for _, line := range lines {
		b.WriteString(escape(line) + "\n")
	}
	b.WriteString(".fi\n")
	return b.String()
}

func commands(cmd *cobra.Command) string {
	var b strings.Builder
	for _, sub := range subCommands(cmd) {
		b.WriteString(".TP\n" + `\fB` + escape(sub.Name()) + `\fR, see ` + reference(sub) + "\n" + marked(sub.Short) + "\n")
	}
	return b.String()
}

func options(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			b.WriteString(`\fB\-` + f.Shorthand + `\fR, `)
		}
		b.WriteString(`\fB\-\-` + escape(f.Name) + `\fR`)
		if value != "" {
			b.WriteString(` \fI` + escape(value) + `\fR`)
		}
		b.WriteString("\n" + marked(usage+defaultOf(f)) + "\n")
	})
	return b.String()
}

func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "[]":
		return ""
	}
	return " (default " + f.DefValue + ")"
}

func seeAlso(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return ""
	}
	text := reference(cmd.Root()) + " lists the options for the connection and the key that gatectl uses\n"
	if parent := cmd.Parent(); parent.HasParent() {
		text = reference(parent) + ",\n" + text
	}
	return text
}

func reference(cmd *cobra.Command) string { return `\fB` + escape(pageName(cmd)) + `\fR(1)` }

var quotedCommand = regexp.MustCompile("`([^`]*)`")

// marked escapes a text in which commands stand in backticks.
func marked(text string) string {
	return quotedCommand.ReplaceAllString(escape(text), `\fB$1\fR`)
}

var escapes = strings.NewReplacer(`\`, `\e`, "-", `\-`)

// escape makes a line mean itself.
func escape(line string) string {
	line = escapes.Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	return line
}
