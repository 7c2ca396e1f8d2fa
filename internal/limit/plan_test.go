package limit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

func limitOn(on limit.Traffic, n int64, window time.Duration) limit.Limit {
	l := limitOf(n, window)
	l.On = on
	return l
}

func TestTheReferencePlansAreBuiltIn(t *testing.T) {
	p, err := limit.NewPlans(nil, limit.DefaultPlan)
	require.NoError(t, err)
	require.Equal(t, []string{"enterprise", "free", "pro"}, p.Names())
	require.Equal(t, "free", p.Default())
	for name, want := range map[string]limit.Plan{
		"free":       {Limits: []limit.Limit{limitOf(100, time.Minute), limitOn(limit.API, 60, time.Minute)}, Concurrency: 5},
		"pro":        {Limits: []limit.Limit{limitOf(1000, time.Minute), limitOn(limit.API, 300, time.Minute)}, Concurrency: 20},
		"enterprise": {},
	} {
		require.True(t, p.Has(name))
		got, ok := p.Plan(name)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	require.Nil(t, p.Policy("enterprise", nil), "it is unlimited")
}

func TestConfiguredPlansAddToTheBuiltInOnesAndReplaceThem(t *testing.T) {
	mine := limit.Plan{Limits: []limit.Limit{limitOf(7, time.Hour)}, Concurrency: 3}
	p, err := limit.NewPlans(map[string]limit.Plan{"free": mine, "team-1.b_C": {}}, "team-1.b_C")
	require.NoError(t, err)
	require.Equal(t, []string{"enterprise", "free", "pro", "team-1.b_C"}, p.Names())
	require.Equal(t, "team-1.b_C", p.Default())
	require.Equal(t, mine.Limits, p.Policy("free", nil).Limits())
	require.Equal(t, 3, p.Policy("free", nil).Concurrency())
	require.Nil(t, p.Policy("", nil))

	again, err := limit.NewPlans(nil, limit.DefaultPlan)
	require.NoError(t, err)
	require.Equal(t, int64(100), again.Policy("free", nil).Limits()[0].Max, "the built-in plans are not changed for others")
}

func TestBadPlansAreToldByTheirPath(t *testing.T) {
	for want, c := range map[string]struct {
		plans       map[string]limit.Plan
		defaultPlan string
	}{
		`plans: name "": must be 1 to 64 letters, digits and . _ -, beginning with a letter or digit`: {plans: map[string]limit.Plan{"": {}}},
		`plans: name "a b": must be 1 to 64`:                                                       {plans: map[string]limit.Plan{"a b": {}}},
		`plans: name ".a": must be 1 to 64`:                                                        {plans: map[string]limit.Plan{".a": {}}},
		`plans: name "` + strings.Repeat("a", 65) + `": must be 1 to 64`:                           {plans: map[string]limit.Plan{strings.Repeat("a", 65): {}}},
		`plans::mine: concurrency: -1 is negative: must be 0 (any number) or more`:                 {plans: map[string]limit.Plan{"mine": {Concurrency: -1}}},
		`plans::mine: limits::1: limits::0 is on the same ingest requests in 1m: keep one of them`: {plans: map[string]limit.Plan{"mine": {Limits: []limit.Limit{limitOf(1, time.Minute), limitOf(2, time.Minute)}}}},
		`plans::mine::limits::1: max: 0 is out of range`:                                           {plans: map[string]limit.Plan{"mine": {Limits: []limit.Limit{limitOf(1, time.Minute), limitOf(0, time.Hour)}}}},
		`default_plan: unknown plan "gold": must be one of enterprise, free, pro`:                  {defaultPlan: "gold"},
		`default_plan: unknown plan "gold": must be one of enterprise, free, mine, pro`:            {defaultPlan: "gold", plans: map[string]limit.Plan{"mine": {}}},
		`default_plan: unknown plan "": must be one of enterprise, free, pro`:                      {defaultPlan: "none"},
	} {
		switch c.defaultPlan {
		case "":
			c.defaultPlan = limit.DefaultPlan
		case "none":
			c.defaultPlan = ""
		}
		_, err := limit.NewPlans(c.plans, c.defaultPlan)
		require.ErrorContains(t, err, want)
	}
}

func TestAKeyOnNoPlanOrOneThatIsGoneIsOnTheDefaultPlan(t *testing.T) {
	p, err := limit.NewPlans(nil, "pro")
	require.NoError(t, err)
	require.Equal(t, 20, p.Policy("", nil).Concurrency())
	require.Equal(t, 20, p.Policy("gone", nil).Concurrency())
	require.Equal(t, 20, p.Policy("gone", []limit.Limit{limitOf(1, time.Minute)}).Concurrency())
	require.Equal(t, 5, p.Policy("free", nil).Concurrency())
	_, ok := p.Plan("gone")
	require.False(t, ok)
}

func TestAKeysOwnLimitsReplaceThoseOfItsPlanOnTheSameTrafficAndUnit(t *testing.T) {
	bytes := limitOf(1e6, time.Hour)
	bytes.Unit = limit.Bytes
	api := limitOn(limit.API, 60, time.Minute)
	p, err := limit.NewPlans(map[string]limit.Plan{
		"mine": {Limits: []limit.Limit{limitOf(100, time.Minute), limitOf(5000, 24*time.Hour), bytes, api}, Concurrency: 5},
	}, "mine")
	require.NoError(t, err)
	for _, c := range []struct{ own, want []limit.Limit }{
		{nil, []limit.Limit{limitOf(100, time.Minute), limitOf(5000, 24*time.Hour), bytes, api}},
		{[]limit.Limit{limitOf(200, time.Minute)}, []limit.Limit{bytes, api, limitOf(200, time.Minute)}},
		{[]limit.Limit{limitOf(9, time.Hour), limitOf(2, time.Second)}, []limit.Limit{bytes, api, limitOf(9, time.Hour), limitOf(2, time.Second)}},
		{[]limit.Limit{limitOn(limit.Traces, 3, time.Minute)}, []limit.Limit{
			limitOf(100, time.Minute), limitOf(5000, 24*time.Hour), bytes, api, limitOn(limit.Traces, 3, time.Minute),
		}},
		{[]limit.Limit{limitOn(limit.API, 1, time.Second)}, []limit.Limit{
			limitOf(100, time.Minute), limitOf(5000, 24*time.Hour), bytes, limitOn(limit.API, 1, time.Second),
		}},
	} {
		policy := p.Policy("mine", c.own)
		require.Equal(t, c.want, policy.Limits())
		require.Equal(t, 5, policy.Concurrency(), "it stays the plan's")
	}
	limited := p.Policy("enterprise", []limit.Limit{limitOf(9, time.Minute)})
	require.Equal(t, []limit.Limit{limitOf(9, time.Minute)}, limited.Limits())
	require.Zero(t, limited.Concurrency())
}

func TestPoliciesCannotBeChangedFromOutside(t *testing.T) {
	configured := map[string]limit.Plan{"mine": {Limits: []limit.Limit{limitOf(100, time.Minute)}}}
	p, err := limit.NewPlans(configured, "mine")
	require.NoError(t, err)
	configured["mine"].Limits[0].Max = 1
	p.Policy("mine", nil).Limits()[0].Max = 2
	plan, _ := p.Plan("mine")
	plan.Limits[0].Max = 3
	require.Equal(t, int64(100), p.Policy("mine", nil).Limits()[0].Max)
}

func TestNoPolicyLimitsNothing(t *testing.T) {
	var p *limit.Policy
	require.Empty(t, p.Limits())
	require.Zero(t, p.Concurrency())
	require.Nil(t, limit.NewPolicy(limit.Plan{}))
	require.NotNil(t, limit.NewPolicy(limit.Plan{Concurrency: 1}))
}
