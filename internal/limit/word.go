package limit

import (
	"encoding"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseLimit reads a limit as people write it: TRAFFIC:UNIT:MAX/WINDOW, such as
// ingest:requests:100/1m or traces:items:5000000/1d. The limit that it returns is
// valid.
func ParseLimit(text string) (l Limit, err error) {
	on, rest, _ := strings.Cut(text, ":")
	unit, rest, _ := strings.Cut(rest, ":")
	highest, window, whole := strings.Cut(rest, "/")
	if !whole {
		return l, errors.New("is incomplete")
	}
	if l.Max, err = strconv.ParseInt(highest, 10, 64); err != nil {
		return l, fmt.Errorf("max %q: must be a whole number", highest)
	}
	for _, part := range []struct {
		text string
		into encoding.TextUnmarshaler
	}{{on, &l.On}, {unit, &l.Unit}, {window, &l.Window}} {
		if err := part.into.UnmarshalText([]byte(part.text)); err != nil {
			return l, err
		}
	}
	return l, l.Validate()
}
