package cli

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// emptyFlag is for flags that were given without a value.
func emptyFlag(cmd *cobra.Command, name string) error {
	hint := "give a value or leave the flag out; is a variable of a script not set?"
	if cmd.Flags().Lookup("no-"+name) != nil {
		hint = "to clear it give --no-" + name + "; is a variable of a script not set?"
	}
	return misuse(hint, "--%s: must not be empty", name)
}

// optional returns nil for the empty word.
func optional[T ~string](word string) *T {
	if word == "" {
		return nil
	}
	value := T(word)
	return &value
}

// countryCode is the form of a country's ISO 3166-1 alpha-2 code.
var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

// parseCountries accepts codes in either case.
func parseCountries(words []string) ([]string, error) {
	var codes []string
	for _, word := range words {
		code := strings.ToUpper(word)
		if !countryCode.MatchString(code) {
			return nil, misuse("use the codes of ISO 3166-1, such as DE or US", "--expect-country %q: must be a code of two letters", word)
		}
		codes = append(codes, code)
	}
	return codes, nil
}

// quoted puts a text that the user gave, or a server, into a message.
func quoted(s string) string { return strconv.QuoteToGraphic(s) }

// nameOf is how messages name a key.
func nameOf(key *client.Key) string { return printable(key.ID) + " " + quoted(key.Name) }

// orAll lists the words of a list that, empty, excludes nothing.
func orAll(words []string) string {
	if len(words) == 0 {
		return "all"
	}
	return strings.Join(words, ", ")
}

// exclusive refuses a command line that has both flags.
func exclusive(cmd *cobra.Command, a, b string) {
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed(a) && cmd.Flags().Changed(b) {
			return misuse("give one of them; "+helpHint(cmd), "--%s and --%s exclude each other", a, b)
		}
		if before == nil {
			return nil
		}
		return before(cmd, args)
	}
}
