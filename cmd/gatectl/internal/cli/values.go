package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// maxValue is how much of a value is shown where a change is told in one line.
const maxValue = 60

// changeTexts tells changes of fields, by their names: "role: member → admin".
func changeTexts(changes map[string]client.AuditChange) []string {
	texts := make([]string, 0, len(changes))
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		c := changes[name]
		text := printable(name) + ": "
		if c.From != nil {
			text += valueText(c.From) + " → "
		}
		texts = append(texts, text+valueText(c.To))
	}
	return texts
}

// valueText is a value of JSON in one line.
func valueText(value any) string {
	switch v := value.(type) {
	case nil:
		return "none"
	case string:
		if v == "" {
			return `""`
		}
		return shorten(printable(v), maxValue)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = valueText(v[i])
		}
		return shorten("["+strings.Join(parts, " ")+"]", maxValue)
	case map[string]any:
		if hint, ok := v["hint"].(string); ok { // a secret of a key
			return secretText(hint, v["expiresAt"])
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "?"
	}
	return shorten(printable(strings.TrimSpace(text.String())), maxValue)
}

// secretText is a secret in the changes of a key: its hint, and when it ends.
func secretText(hint string, end any) string {
	if end == nil {
		return printable(hint)
	}
	return printable(hint) + " until " + valueText(end)
}
