package limittest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// saturated is over how many windows saturation is measured. That long, what is
// admitted to a limit of 1 tells 98 % from less: one admission is 1.6 %.
const saturated = 61

// Under saturation, 98 % of n*max is admitted in the first n windows, for any n;
// tests measure it at the end of each window.
var saturationTests = map[string]func(*testing.T, limit.Counter){
	"an eager client is admitted 98 percent of max": func(t *testing.T, c limit.Counter) {
		for _, window := range []time.Duration{time.Second, time.Minute + 1, 31 * 24 * time.Hour} {
			for _, n := range []int64{1, 7, 100} {
				t.Run(fmt.Sprintf("%d in %v", n, window), func(t *testing.T) {
					// Far more often than anything can leave a window, and not
					// in step with it.
					saturate(t, c, window, n, window/503, func(admitted bool) bool { return admitted })
				})
			}
		}
	},
	"a steady client over max is admitted 98 percent of it": func(t *testing.T, c limit.Counter) {
		for _, n := range []int64{60, 100, 1000} {
			t.Run(fmt.Sprintf("%d in 1m", n), func(t *testing.T) {
				saturate(t, c, time.Minute, n, time.Minute*2/time.Duration(3*n), func(bool) bool { return false })
			})
		}
	},
}

// saturate asks for one thing at every step, and again at once if again says so.
func saturate(t *testing.T, c limit.Counter, window time.Duration, n int64, step time.Duration, again func(admitted bool) bool) {
	p := policy(requestsIn(n, window))
	a := newAsker(t, c)
	admitted := int64(0)
	for i := int64(1); i <= saturated; i++ {
		for end := epoch.Add(time.Duration(i) * window); a.now.Before(end); a.wait(step) {
			for {
				ok := ask(a, p, requests(1)).Verdict == limit.Admitted
				if ok {
					admitted++
					require.LessOrEqual(t, admitted, saturated*n)
				}
				if !again(ok) {
					break
				}
			}
		}
		require.GreaterOrEqual(t, float64(admitted)/float64(i*n), 0.98, "after %d windows: %d of %d", i, admitted, i*n)
	}
}
