package admin

import (
	"cmp"
	"regexp"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/credential"
)

// secretPattern finds API keys of the prefix, and what was one before it was
// cut off or mistyped: the hint of a key shows 8 letters, so 20 are a leak.
func secretPattern(prefix string) *regexp.Regexp {
	prefix = cmp.Or(prefix, credential.DefaultPrefix)
	return regexp.MustCompile(regexp.QuoteMeta(prefix) + `_(live|test|sys)_[0-9A-Za-z]{20,}`)
}

const redacted = "[redacted API key]"

// redact takes API keys out of a text that is to be shown or logged.
func (s *service) redact(text string) string {
	return s.secrets.ReplaceAllLiteralString(text, redacted)
}

func (s *service) redactField(f api.FieldError) api.FieldError {
	f.Detail = s.redact(f.Detail)
	for _, place := range []**string{&f.Pointer, &f.Parameter} {
		if *place != nil {
			text := s.redact(**place)
			*place = &text
		}
	}
	return f
}

// clip shortens a name that came with the request, for it may be of any
// length.
func clip(name string) string {
	const longest = 64
	runes := []rune(name)
	if len(runes) <= longest {
		return name
	}
	return string(runes[:longest]) + "…"
}
