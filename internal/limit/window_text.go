package limit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Window is the length of a sliding window. Its text is a number and a unit:
// 30s, 1m, 6h, 31d; or a Go duration such as 1h30m.
type Window time.Duration

// ParseWindow reads the text of a window. It does not check the bounds.
func ParseWindow(text string) (Window, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, badWindow(text)
		}
		return Window(time.Duration(n) * day), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, badWindow(text)
	}
	return Window(d), nil
}

func badWindow(text string) error {
	return fmt.Errorf("window %.32q: must be a number and a unit such as 30s, 1m, 6h or 31d", text)
}

// String returns the shortest text of the window.
func (w Window) String() string {
	d := time.Duration(w)
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d >= unit.length && d%unit.length == 0 {
			return strconv.FormatInt(int64(d/unit.length), 10) + unit.name
		}
	}
	return d.String()
}

// MarshalText implements encoding.TextMarshaler.
func (w Window) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *Window) UnmarshalText(text []byte) error {
	parsed, err := ParseWindow(string(text))
	*w = parsed
	return err
}

// Long reports whether counts of the window must outlive the process.
func (w Window) Long() bool { return w >= LongWindow }
