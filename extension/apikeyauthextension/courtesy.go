package apikeyauthextension

import (
	"sync/atomic"
	"time"
)

// fullRefusals is how many refusals a second for being over a limit are answered
// in full.
const fullRefusals = 50

// courtesy bounds how often a gRPC request that is over a limit is refused by
// the interceptor. An answer of the tap handle costs a tenth, but cannot carry
// header metadata: the numbers are in the status alone. So whoever exceeds a
// limit now and then gets both, and a flood is turned away cheaply.
//
// The zero value is ready. Safe for concurrent use.
type courtesy struct {
	second atomic.Int64
	given  atomic.Int64
}

// take reports whether a refusal at that time may take the long way.
func (c *courtesy) take(now time.Time) bool {
	if second := now.Unix(); c.second.Swap(second) != second {
		c.given.Store(0)
	}
	return c.given.Add(1) <= fullRefusals
}
