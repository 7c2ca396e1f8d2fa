package admin

import "github.com/otlpgate/otlpgate/internal/admin/api"

// redact takes API keys out of a text that is to be shown or logged.
func (s *service) redact(text string) string { return s.secrets.Redact(text) }

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
