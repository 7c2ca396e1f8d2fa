package identity

// Signal is a kind of telemetry.
type Signal uint8

// SignalUnknown, the zero value, is what a door reports when neither path nor
// method tells what is being sent.
const (
	SignalUnknown Signal = iota
	Traces
	Metrics
	Logs
	Profiles
	signalCount
)

var signalNames = [signalCount]string{"telemetry", "traces", "metrics", "logs", "profiles"}

var signalScopes = [signalCount]ScopeSet{
	Traces:   NewScopeSet(TracesWrite),
	Metrics:  NewScopeSet(MetricsWrite),
	Logs:     NewScopeSet(LogsWrite),
	Profiles: NewScopeSet(ProfilesWrite),
}

// String returns the plural name, as used in scopes: "traces".
func (s Signal) String() string { return signalNames[s] }

// Signals lists the known signals.
func Signals() []Signal { return []Signal{Traces, Metrics, Logs, Profiles} }
