package identity

import (
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

type gate struct{ _ int }

func TestAdmissionIsOfItsIssuerAlone(t *testing.T) {
	one, other := &gate{}, &gate{}
	a := NewAdmission(&Identity{}, one)
	assert.True(t, a.IssuedBy(one))
	assert.False(t, a.IssuedBy(other))
	assert.False(t, a.IssuedBy(nil))
	assert.False(t, a.IssuedBy(gate{}))
}

func TestAdmissionSharesItsAttributesAndNothingElse(t *testing.T) {
	a := NewAdmission(&Identity{
		KeyID: "key_1", KeyName: "ingest", KeyType: UserKey, Environment: Live, OwnerID: "usr_1", Plan: "pro",
		Role: AdminRole, Scopes: NewScopeSet(Admin), Projects: []string{"p"},
	}, &gate{})
	got := map[string]any{}
	for _, name := range a.GetAttributeNames() {
		got[name] = a.GetAttribute(name)
	}
	assert.Equal(t, map[string]any{
		"key_id": "key_1", "key_name": "ingest", "key_type": "user", "owner_id": "usr_1", "environment": "live", "plan": "pro",
	}, got)
	for _, name := range []string{"", "key", "secret", "credential", "raw", "authorization", "scopes", "KEY_ID"} {
		assert.Nil(t, a.GetAttribute(name), name)
	}
	a.GetAttributeNames()[0] = "changed"
	assert.Equal(t, "key_id", a.GetAttributeNames()[0])
}

// Whoever adds a field must think of what may not travel with the request.
func TestIdentityHasNoRoomForTheCredential(t *testing.T) {
	var fields []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Identity]()) {
		fields = append(fields, f.Name)
	}
	assert.Equal(t, []string{
		"KeyID", "KeyName", "KeyType", "Environment", "OwnerID", "Plan", "Role", "Scopes", "Projects", "AllowedIPs",
		"Limits", "SecretInfo",
	}, fields)
}

func TestLargestRejectionStandsForEachSignal(t *testing.T) {
	a := NewAdmission(&Identity{}, nil)
	assert.Zero(t, a.Rejected(Traces))
	a.Reject(Traces, 0, "nothing")
	assert.Zero(t, a.Rejected(Traces))
	a.Reject(Traces, 2, "two")
	a.Reject(Traces, 2, "two again")
	a.Reject(Traces, 1, "one")
	assert.Equal(t, Rejection{2, "two"}, a.Rejected(Traces))
	a.Reject(Traces, 3, "three")
	assert.Equal(t, Rejection{3, "three"}, a.Rejected(Traces))
	for _, other := range []Signal{SignalUnknown, Metrics, Logs, Profiles} {
		assert.Zero(t, a.Rejected(other))
	}
}

func TestFirstRefusalStands(t *testing.T) {
	a := NewAdmission(&Identity{}, nil)
	assert.Nil(t, a.Refused())
	first := NewRefusal(MissingScope, "first")
	a.Refuse(first)
	a.Refuse(NewRefusal(ProjectNotAllowed, "second"))
	assert.Same(t, first, a.Refused())
}

// Meaningful with -race.
func TestAdmissionIsSafeForConcurrentUse(t *testing.T) {
	const users = 32
	a := NewAdmission(&Identity{KeyID: "key_1"}, &gate{})
	var settled atomic.Int32
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() {
			if a.Settle() {
				settled.Add(1)
			}
			a.Refuse(NewRefusal(MissingScope, "no"))
			a.Reject(Logs, int64(i+1), strconv.Itoa(i+1))
			assert.NotNil(t, a.Refused())
			assert.GreaterOrEqual(t, a.Rejected(Logs).Items, int64(i+1))
			assert.Equal(t, "key_1", a.GetAttribute(AttrKeyID))
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1, settled.Load(), "one door counts the request")
	assert.Equal(t, Rejection{users, strconv.Itoa(users)}, a.Rejected(Logs))
}
