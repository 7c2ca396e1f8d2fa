package web

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// functions are what templates can call.
var functions = template.FuncMap{
	"asset":   assetPath,
	"rfc3339": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"moment":  func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") },
	"exact":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"day":     func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
	"count":   count,
	"number":  grouped,
	"bytes":   byteSize,
	"percent": percent,
	"reason":  reasonText,
	"plural":  plural,
	"join":    strings.Join,
	"text":    value[string],
	"country": countryName,
	"window":  windowText,
	"prose":   proseOf,
	"label":   labelOf,
	"list":    func(elements ...string) []string { return elements },
}

// value returns what p points to, the zero value where it is nil.
func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// count shortens a number to three digits: 1.23k, 45.6M.
func count(n int64) string {
	if n < 0 {
		return "-" + count(-n)
	}
	if n < 10_000 {
		return grouped(n)
	}
	return scaled(float64(n), 1000, []string{"", "k", "M", "G", "T", "P", "E"})
}

func byteSize(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	return scaled(float64(n), 1024, []string{" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"})
}

// scaled writes a number with three digits and the unit that leaves one to three
// of them before the point.
func scaled(n, step float64, units []string) string {
	unit := 0
	for unit < len(units)-1 && n >= step {
		n, unit = n/step, unit+1
		if n >= 999.5 && unit < len(units)-1 && step == 1000 {
			n, unit = n/step, unit+1
		}
	}
	digits := max(0, 2-int(math.Floor(math.Log10(max(n, 1)))))
	text := strconv.FormatFloat(n, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + units[unit]
}

// grouped writes a number with its thousands apart.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// percent writes a part of 1. What is not nothing does not look so, nor does what
// is not all look like all.
func percent(part float64) string {
	switch {
	case part <= 0:
		return "0%"
	case part < 0.001:
		return "<0.1%"
	case part > 0.999 && part < 1:
		return ">99.9%"
	}
	return strings.TrimSuffix(strconv.FormatFloat(part*100, 'f', 1, 64), ".0") + "%"
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// ago says how long before now a time is, or how long after.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	if d < 0 {
		return "in " + span(-d)
	}
	if d < 10*time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

// span writes a duration in its largest unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	case d < 2*day:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	case d < 60*day:
		return strconv.Itoa(int(d/day)) + " days"
	case d < 730*day:
		return strconv.Itoa(int(d/(30*day))) + " months"
	}
	return strconv.Itoa(int(d/(365*day))) + " years"
}

// windowText writes the length of a window for people: "minute", "5 minutes".
func windowText(window string) string {
	units := map[byte]string{'s': "second", 'm': "minute", 'h': "hour", 'd': "day"}
	if len(window) < 2 {
		return window
	}
	unit, known := units[window[len(window)-1]]
	n, err := strconv.Atoi(window[:len(window)-1])
	switch {
	case !known || err != nil:
		return window
	case n == 1:
		return unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}

// reasons are those that people do not know by their codes.
var reasons = map[string]string{
	"rate_limited": "over a rate limit", "concurrency_exceeded": "too many at once", "larger_than_limit": "larger than the limit",
	"no_credential": "no key", "malformed_credential": "malformed key", "conflicting_credentials": "two different keys",
	"too_many_failures": "too many unknown keys", "key_unresolvable": "store not available", "disabled_key": "disabled key",
}

// reasonText writes a code for people.
func reasonText(code string) string {
	if text, ok := reasons[code]; ok {
		return text
	}
	return strings.ReplaceAll(code, "_", " ")
}

// piece is a part of a text of which some is code.
type piece struct {
	Text string
	Code bool
}

// proseOf splits a text at its backquotes.
func proseOf(text string) []piece {
	parts := strings.Split(text, "`")
	pieces := make([]piece, 0, len(parts))
	for i, part := range parts {
		pieces = append(pieces, piece{part, i%2 == 1 && i < len(parts)-1})
	}
	return pieces
}
