package apikeyauthextension

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAShutdownMissesNoRequestThatEndsMeanwhile(t *testing.T) {
	started := time.Now()
	for range 1000 {
		var u unrecorded
		for range 4 {
			u.add()
			go u.done()
		}
		u.wait(time.Minute)
		assert.Zero(t, u.n.Load())
	}
	assert.Less(t, time.Since(started), time.Minute, "nor waits in vain")
}

func TestAShutdownWaitsNotForEver(t *testing.T) {
	var u unrecorded
	u.add()
	u.wait(time.Millisecond)
	assert.EqualValues(t, 1, u.n.Load())
}
