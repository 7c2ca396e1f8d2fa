package credential

import (
	"regexp"
	"strings"
)

// Redacted stands where a key was taken out of a text.
const Redacted = "[redacted API key]"

// Redactor takes API keys out of texts that are to be shown, logged or kept.
// Immutable, and safe for concurrent use; make it with Format.Redactor.
type Redactor struct {
	start   string
	pattern *regexp.Regexp
}

// Redactor returns the redactor of keys of this format, and of what was one before
// it was cut off or mistyped: the hint of a key shows 8 letters, so 20 are a leak.
func (f Format) Redactor() Redactor {
	start := f.prefix() + "_"
	return Redactor{start, regexp.MustCompile(regexp.QuoteMeta(start) + `(live|test|sys)_[0-9A-Za-z]{20,}`)}
}

// Finds reports whether a text holds a key.
func (r Redactor) Finds(text string) bool {
	return strings.Contains(text, r.start) && r.pattern.MatchString(text)
}

// Redact returns a text without the keys in it.
func (r Redactor) Redact(text string) string {
	if !strings.Contains(text, r.start) {
		return text
	}
	return r.pattern.ReplaceAllLiteralString(text, Redacted)
}
