package identity

import (
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/client"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// The attributes of an admission as client.AuthData; other components refer to
// them as auth.key_id and so on.
const (
	AttrKeyID       = "key_id"
	AttrKeyName     = "key_name"
	AttrKeyType     = "key_type"
	AttrOwnerID     = "owner_id"
	AttrEnvironment = "environment"
	AttrPlan        = "plan"
)

// Rejection says that part of an otherwise accepted request was dropped. Items
// are spans, data points, log records or profiles, as OTLP counts them.
type Rejection struct {
	Items   int64
	Message string
}

// Admission is one request let through by a gate. It travels in the request's
// client.Info and carries back what the pipeline decided, so that the door can
// answer truly. It never holds the credential. Safe for concurrent use.
type Admission struct {
	*Identity
	// Tab is what the request is charged; nil where nothing is limited. Set it
	// before the admission is shared.
	Tab *limit.Tab
	// OverLimitCode is the code of refusals for being over a limit, where it is
	// not to be RESOURCE_EXHAUSTED. Set it before the admission is shared.
	OverLimitCode codes.Code
	// Arrival is set by the gate.
	Arrival Arrival
	// Measured says that the door counts the bytes of the request, so that the
	// processor need not. Set it before the admission is shared.
	Measured bool

	issuer  any
	settled atomic.Bool

	mu        sync.Mutex // guards the rest
	refusal   *Refusal
	rejection [signalCount]Rejection
	passings  []passing
	few       [1]passing // for passings to start with
	dropped   [signalCount]int64
	failed    bool
	unwatch   func() bool // ends what EndWith began
}

var _ client.AuthData = (*Admission)(nil)

// NewAdmission admits a request with that identity. The issuer is compared by
// IssuedBy and must be comparable.
func NewAdmission(id *Identity, issuer any) *Admission {
	return &Admission{Identity: id, issuer: issuer}
}

// IssuedBy reports whether that gate admitted the request. It guards a
// collector with several gates against one taking the other's word.
func (a *Admission) IssuedBy(issuer any) bool { return a.issuer == issuer }

// Settle reports true to the first caller alone. Several doors may see one
// request; the one that answers it counts it.
func (a *Admission) Settle() bool { return !a.settled.Swap(true) }

// Reject records that the pipeline dropped items of signal. Where a request
// feeds several pipelines each drops the same items, so the largest count
// stands instead of the sum.
func (a *Admission) Reject(signal Signal, items int64, message string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if items > a.rejection[signal].Items {
		a.rejection[signal] = Rejection{Items: items, Message: message}
	}
}

// Rejected returns what was dropped of signal; zero items means nothing.
func (a *Admission) Rejected(signal Signal) Rejection {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rejection[signal]
}

// Refuse records that the whole request is refused although its key is valid:
// by a door that cannot answer so itself, for the processor to answer, or by
// the processor, for the door to answer. The first refusal stands.
func (a *Admission) Refuse(r *Refusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refusal == nil {
		a.refusal = r
	}
}

// Refused returns the recorded refusal, nil where there is none.
func (a *Admission) Refused() *Refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refusal
}

// GetAttribute implements client.AuthData; an unknown name yields nil.
func (a *Admission) GetAttribute(name string) any {
	switch name {
	case AttrKeyID:
		return a.KeyID
	case AttrKeyName:
		return a.KeyName
	case AttrKeyType:
		return string(a.KeyType)
	case AttrOwnerID:
		return a.OwnerID
	case AttrEnvironment:
		return string(a.Environment)
	case AttrPlan:
		return a.Plan
	}
	return nil
}

// GetAttributeNames implements client.AuthData.
func (a *Admission) GetAttributeNames() []string {
	return []string{AttrKeyID, AttrKeyName, AttrKeyType, AttrOwnerID, AttrEnvironment, AttrPlan}
}
