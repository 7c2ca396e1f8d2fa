package limit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Traffic is what a limit is on.
type Traffic uint8

// Ingest is all signals together; API is calls of the admin API. The zero value
// is no traffic.
const (
	Ingest Traffic = iota + 1
	Traces
	Metrics
	Logs
	Profiles
	API
	trafficCount
)

var trafficNames = [trafficCount]string{"", "ingest", "traces", "metrics", "logs", "profiles", "api"}

// Unit is what a limit counts.
type Unit uint8

// Items are spans, data points, log records and samples of profiles. Bytes are
// those of the telemetry as protobuf, decoded, before anything is added to it.
const (
	Requests Unit = iota + 1
	Items
	Bytes
	unitCount
)

var unitNames = [unitCount]string{"", "requests", "items", "bytes"}

// Limit bounds one kind of traffic. Its zero value is invalid.
type Limit struct {
	On     Traffic `json:"on" mapstructure:"on"`
	Unit   Unit    `json:"unit" mapstructure:"unit"`
	Max    int64   `json:"max" mapstructure:"max"`
	Window Window  `json:"window" mapstructure:"window"`
}

const (
	// MinWindow is the shortest window.
	MinWindow = Window(time.Second)
	// MaxWindow is the longest one.
	MaxWindow = Window(31 * day)
	// LongWindow is the length from which counts outlive the process.
	LongWindow = Window(time.Hour)
	// MaxMax bounds Limit.Max, far from where sums would overflow, and within
	// what every JSON reader can hold exactly.
	MaxMax = 1 << 53
	// MaxLimits bounds the limits of a plan, and those of a key.
	MaxLimits = 16
)

// Validate reports every rule that the limit breaks.
func (l Limit) Validate() error {
	var errs []error
	if l.On == 0 || l.On >= trafficCount {
		errs = append(errs, fmt.Errorf("on: missing: must be one of %s", names(trafficNames[1:])))
	}
	if l.Unit == 0 || l.Unit >= unitCount {
		errs = append(errs, fmt.Errorf("unit: missing: must be one of %s", names(unitNames[1:])))
	}
	if l.On == API && (l.Unit == Items || l.Unit == Bytes) {
		errs = append(errs, fmt.Errorf("unit: %s are not counted on api: use requests", l.Unit))
	}
	if l.Max < 1 || l.Max > MaxMax {
		errs = append(errs, fmt.Errorf("max: %d is out of range: must be 1 to %d; to forbid something, leave its scope out", l.Max, int64(MaxMax)))
	}
	if l.Window < MinWindow || l.Window > MaxWindow {
		errs = append(errs, fmt.Errorf("window: %s is out of range: must be %s to %s", l.Window, MinWindow, MaxWindow))
	}
	return errors.Join(errs...)
}

// ValidateLimits reports every rule that a list of limits breaks as a whole;
// each limit's own rules are Limit.Validate's.
func ValidateLimits(limits []Limit) error {
	if len(limits) > MaxLimits {
		return fmt.Errorf("limits: %d are too many: at most %d", len(limits), MaxLimits)
	}
	for i, l := range limits {
		if j := slices.IndexFunc(limits[:i], l.SameWindow); j >= 0 {
			return fmt.Errorf("limits::%d: limits::%d is on the same %s %s in %s: keep one of them", i, j, l.On, l.Unit, l.Window)
		}
	}
	return nil
}

// CheckLimits reports the first limit that is invalid, or what ValidateLimits
// says of the list.
func CheckLimits(limits []Limit) error {
	for i, l := range limits {
		if err := l.Validate(); err != nil {
			return fmt.Errorf("limits::%d: %w", i, err)
		}
	}
	return ValidateLimits(limits)
}

// SameWindow reports whether both count the same in the same window.
func (l Limit) SameWindow(other Limit) bool { return l.id() == other.id() }

// String describes the limit: "100 requests in 1m on ingest".
func (l Limit) String() string {
	return fmt.Sprintf("%s in %s on %s", l.Unit.Amount(l.Max), l.Window, l.On)
}

func names(list []string) string { return strings.Join(list, ", ") }

// String returns the name used in the configuration and the API.
func (t Traffic) String() string { return nameOf(trafficNames[:], int(t)) }

// MarshalText implements encoding.TextMarshaler.
func (t Traffic) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Traffic) UnmarshalText(text []byte) error {
	i, err := indexOf(trafficNames[:], string(text), "traffic")
	*t = Traffic(i)
	return err
}

// String returns the name used in the configuration and the API.
func (u Unit) String() string { return nameOf(unitNames[:], int(u)) }

// Amount returns the number with the unit: "1 request", "5 requests".
func (u Unit) Amount(n int64) string {
	name := u.String()
	if n == 1 {
		name = strings.TrimSuffix(name, "s")
	}
	return fmt.Sprintf("%d %s", n, name)
}

// MarshalText implements encoding.TextMarshaler.
func (u Unit) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *Unit) UnmarshalText(text []byte) error {
	i, err := indexOf(unitNames[:], string(text), "unit")
	*u = Unit(i)
	return err
}

func nameOf(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

func indexOf(list []string, name, what string) (int, error) {
	if i := slices.Index(list, name); i > 0 {
		return i, nil
	}
	return 0, fmt.Errorf("unknown %s %.32q: must be one of %s", what, name, names(list[1:]))
}
