package identity

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPipelinesThatAreFedTheSameCountOnce(t *testing.T) {
	a := NewAdmission(&Identity{}, nil)
	a.Pass("one", Traces, 2, 20)
	a.Pass("one", Traces, 3, 30) // in two calls
	a.Pass("other", Traces, 4, 40)
	assert.Equal(t, Result{Items: 5, Bytes: 50, Signal: Traces}, a.Result())
	a.Drop(Traces, 1)
	a.Drop(Traces, 2)
	a.Drop(Traces, 1)
	assert.EqualValues(t, 2, a.Result().RefusedItems)
	a.Pass("one", Logs, 1, 1)
	assert.Equal(t, Result{Items: 6, RefusedItems: 2, Bytes: 51}, a.Result(), "several signals are none")
}

func TestAResultTellsWhatWentWrong(t *testing.T) {
	a := NewAdmission(&Identity{}, nil)
	assert.Equal(t, Result{}, a.Result())
	a.Fail()
	r := NewRefusal(ProjectNotAllowed, "no")
	a.Refuse(r)
	a.Drop(Logs, 3)
	assert.Equal(t, Result{RefusedItems: 3, Failed: true, Refusal: r, Signal: Logs}, a.Result())
}

func TestTheEndOfARequestIsToldByItsContextUnlessADoorClaimsIt(t *testing.T) {
	for _, claimed := range []bool{false, true} {
		ctx, end := context.WithCancel(t.Context())
		a := NewAdmission(&Identity{}, nil)
		assert.False(t, a.Claim(), "there is nothing to take over")
		ended := make(chan struct{})
		a.EndWith(ctx, func() { close(ended) })
		if claimed {
			require.True(t, a.Claim())
			end()
			assert.False(t, a.Claim(), "it was taken over before")
			select {
			case <-ended:
				t.Error("it is told all the same")
			default:
			}
			continue
		}
		end()
		<-ended
		assert.False(t, a.Claim(), "it comes too late")
	}
}
