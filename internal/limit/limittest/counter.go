// Package limittest holds the suites that every limit.Counter and limit.Keeper
// must pass, and a keeper in memory for the tests of others.
package limittest

import (
	"testing"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// Counter tests an implementation of limit.Counter. Open returns a new one that
// has counted nothing; it is called once for each test, which tells its
// questions apart by key.
func Counter(t *testing.T, open func(t *testing.T) limit.Counter) {
	for name, tests := range map[string]map[string]func(*testing.T, limit.Counter){
		"Strict": strictTests, "Saturation": saturationTests, "RetryAfter": retryTests,
		"Quota": quotaTests, "Atomic": atomicTests, "Slots": slotTests, "Verdict": verdictTests,
		"Refund": refundTests, "Policy": policyTests, "Concurrency": concurrencyTests,
	} {
		t.Run(name, func(t *testing.T) {
			for name, test := range tests {
				t.Run(name, func(t *testing.T) { test(t, open(t)) })
			}
		})
	}
}
