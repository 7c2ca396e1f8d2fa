package apikeyauthextension

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/limit"
)

const day = 24 * time.Hour

// Span is a length of time with the text of a window, which may be in days: 30d.
type Span time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Span) UnmarshalText(text []byte) error {
	w, err := limit.ParseWindow(string(text))
	if err != nil {
		return fmt.Errorf("%.32q is no length of time: must be a number and a unit such as 30s, 12h or 30d", text)
	}
	*s = Span(w)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String writes it as it can be read.
func (s Span) String() string { return limit.Window(s).String() }

// between refuses a span that is out of range.
func (s Span) between(field string, least, most time.Duration) error {
	if d := time.Duration(s); d < least || d > most {
		return fmt.Errorf("%s: %s is out of range: must be %s to %s", field, s, Span(least), Span(most))
	}
	return nil
}

// Percent is a part of a whole, 0 to 1, that is given as a percentage: 5%.
type Percent float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Percent) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(string(text), "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if within := n >= 0 && n <= 100; !ok || err != nil || !within {
		return fmt.Errorf("%.32q is no percentage: must be 0%% to 100%%, such as 5%%", text)
	}
	*p = Percent(n / 100)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String writes it as it can be read.
func (p Percent) String() string { return strconv.FormatFloat(float64(p)*100, 'g', 6, 64) + "%" }
