package e2e

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
)

// output keeps what a process prints, and tells of each new line.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// snapshot returns what there is, and what is closed when there is more.
func (o *output) snapshot() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// logEntry is a line of the collector's log.
type logEntry struct {
	Message   string `json:"msg"`
	Component string `json:"otelcol.component.id"`
	Endpoint  string `json:"endpoint"`
}

func parseLog(text string) (entries []logEntry) {
	for line := range strings.Lines(text) {
		var e logEntry
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &e) == nil {
			entries = append(entries, e)
		}
	}
	return entries
}
