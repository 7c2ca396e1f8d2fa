package limit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAPolicyIsWithinAnotherThatAdmitsAllOfIt(t *testing.T) {
	const minute, hour = Window(time.Minute), Window(time.Hour)
	of := func(concurrency int, limits ...Limit) *Policy {
		return NewPolicy(Plan{Limits: limits, Concurrency: concurrency})
	}
	requests := func(most int64, w Window) Limit { return Limit{On: Ingest, Unit: Requests, Max: most, Window: w} }
	items := Limit{On: Traces, Unit: Items, Max: 5, Window: minute}
	for name, tt := range map[string]struct {
		policy, other *Policy
		want          bool
	}{
		"nothing limits either":       {nil, nil, true},
		"anything is within no limit": {of(3, requests(5, minute)), nil, true},
		"no limit is within none":     {nil, of(0, requests(5, minute)), false},
		"the same":                    {of(3, requests(5, minute)), of(3, requests(5, minute)), true},
		"smaller":                     {of(3, requests(4, minute)), of(3, requests(5, minute)), true},
		"larger":                      {of(3, requests(6, minute)), of(3, requests(5, minute)), false},
		"another window":              {of(0, requests(5, hour)), of(0, requests(5, minute)), false},
		"one more":                    {of(0, requests(5, minute), items), of(0, requests(5, minute)), true},
		"one less":                    {of(0, requests(5, minute)), of(0, requests(5, minute), items), false},
		"more at once":                {of(4), of(3), false},
		"any number at once":          {of(0, items), of(3, items), false},
		"fewer at once":               {of(2), of(3), true},
	} {
		assert.Equal(t, tt.want, tt.policy.Within(tt.other), name)
	}
}
