package limit

import (
	"strconv"
	"time"
)

// Field is a header field of an answer.
type Field struct{ Name, Value string }

// The names of the fields, as HTTP spells them. The first three are what most
// services send; the others are those of the IETF's
// draft-ietf-httpapi-ratelimit-headers-10.
const (
	FieldLimit     = "X-RateLimit-Limit"
	FieldRemaining = "X-RateLimit-Remaining"
	FieldReset     = "X-RateLimit-Reset"
	FieldPolicy    = "RateLimit-Policy"
	FieldQuotas    = "RateLimit"
)

// applies reports whether requests of that traffic fall under the limit.
func (l *Limit) applies(on Traffic) bool { return l.On == on || (l.On == Ingest && on != API) }

// Nearest returns the quota nearest to exhaustion of those that requests of
// that traffic fall under: the one with the smallest part of Max left. It
// reports false where there is none.
func (s *State) Nearest(on Traffic) (Quota, bool) {
	nearest := -1
	for i := range s.Quotas {
		if s.Quotas[i].applies(on) && (nearest < 0 || s.Quotas[i].left() < s.Quotas[nearest].left()) {
			nearest = i
		}
	}
	if nearest < 0 {
		return Quota{}, false
	}
	return s.Quotas[nearest], true
}

// left is what remains, as a part of Max.
func (q *Quota) left() float64 { return float64(q.Remaining()) / float64(q.Max) }

// Nearest is State.Nearest of the request's key, now.
func (t *Tab) Nearest(on Traffic) (Quota, bool) {
	s := t.stateAtHand(nil)
	return s.Nearest(on)
}

func (t *Tab) stateAtHand(buffer []Quota) State {
	if t == nil {
		return State{}
	}
	return t.counter.StateAtHand(t.clock(), t.key, t.policy, buffer)
}

// Fields returns the rate-limit fields of an answer to a request of that
// traffic; none where nothing is limited.
func (t *Tab) Fields(on Traffic) []Field {
	if t == nil || t.policy.fields[on] == "" {
		return nil
	}
	var buffer [8]Quota
	s := t.stateAtHand(buffer[:0])
	fields := make([]Field, 0, 5)
	if q, ok := s.Nearest(on); ok {
		fields = append(fields, q.Fields()...)
	}
	return append(fields, Field{FieldPolicy, t.policy.fields[on]}, Field{FieldQuotas, s.quotas(on, t.clock())})
}

// Fields returns the X-RateLimit fields of one quota.
func (q Quota) Fields() []Field {
	return []Field{
		{FieldLimit, strconv.FormatInt(q.Max, 10)},
		{FieldRemaining, strconv.FormatInt(q.Remaining(), 10)},
		{FieldReset, strconv.FormatInt(seconds(time.Duration(q.ResetAt.UnixNano())), 10)},
	}
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// concurrencyName is the policy of the requests under way at once.
const concurrencyName = "concurrency"

// quotas is the value of the RateLimit field.
func (s *State) quotas(on Traffic, now time.Time) string {
	text := make([]byte, 0, 96)
	for i := range s.Quotas {
		q := &s.Quotas[i]
		if !q.applies(on) {
			continue
		}
		text = appendItem(text, q.name())
		text = strconv.AppendInt(append(text, ";r="...), q.Remaining(), 10)
		text = strconv.AppendInt(append(text, ";t="...), max(seconds(q.ResetAt.Sub(now)), 0), 10)
	}
	if s.Concurrency > 0 {
		text = appendItem(text, concurrencyName)
		text = strconv.AppendInt(append(text, ";r="...), int64(max(s.Concurrency-s.UnderWay, 0)), 10)
	}
	return string(text)
}

// fieldsOf returns the value of the RateLimit-Policy field.
func (p *Policy) fieldsOf(on Traffic) string {
	var text []byte
	for i := range p.limits {
		l := &p.limits[i]
		if !l.applies(on) {
			continue
		}
		text = appendItem(text, l.name())
		text = strconv.AppendInt(append(text, ";q="...), l.Max, 10)
		if unit := quotaUnits[l.Unit]; unit != "" {
			text = append(text, `;qu="`+unit+`"`...)
		}
		text = strconv.AppendInt(append(text, ";w="...), seconds(time.Duration(l.Window)), 10)
	}
	if p.concurrency > 0 {
		text = appendItem(text, concurrencyName)
		text = strconv.AppendInt(append(text, ";q="...), int64(p.concurrency), 10)
		text = append(text, `;qu="concurrent-requests"`...)
	}
	return string(text)
}

// quotaUnits are the draft's names of the units but for the one it assumes. It
// has none for items.
var quotaUnits = [unitCount]string{Items: "items", Bytes: "content-bytes"}

func (l *Limit) name() string {
	return l.On.String() + "-" + l.Unit.String() + "-" + l.Window.String()
}

// appendItem begins a member of a list of strings (RFC 9651, sections 3.1 and
// 3.3.3). Names need no escape.
func appendItem(text []byte, name string) []byte {
	if len(text) > 0 {
		text = append(text, ", "...)
	}
	return append(append(append(text, '"'), name...), '"')
}
