package apikeyauthextension

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheClockFollowsTheSystemsAheadAndNeverBack(t *testing.T) {
	c := newSteadyClock()
	for _, step := range []struct{ passed, seemingly, want time.Duration }{
		{time.Minute, time.Minute, time.Minute},
		{2 * time.Minute, time.Hour, time.Hour}, // set ahead, or slept
		{3 * time.Minute, time.Hour + time.Minute, time.Hour + time.Minute},
		{4 * time.Minute, -time.Hour, time.Hour + 2*time.Minute}, // set back
		{5 * time.Minute, -time.Hour + time.Minute, time.Hour + 3*time.Minute},
		{6 * time.Minute, 2 * time.Hour, 2 * time.Hour}, // and right again
	} {
		assert.Equal(t, step.want, c.at(step.passed, step.seemingly).Sub(c.start))
	}
}
