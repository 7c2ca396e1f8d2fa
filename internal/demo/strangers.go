package demo

import (
	"fmt"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// strangers are those who come without a key that exists.
type strangers struct{ dice dice }

func newStrangers(seed uint64) *strangers { return &strangers{newDice(seed, "strangers")} }

// stranger is a kind of them.
type stranger struct {
	reason    identity.Reason
	endpoint  string
	transport access.Transport
	agent     string
	from      []origin
	perDay    float64
	hinted    bool // with a key in good form
	guesses   bool // with another one each time
	spans     []span
}

var strangerKinds = []stranger{
	{reason: identity.NoCredential, endpoint: "traces", transport: access.HTTP, agent: "curl/8.11.0", from: []origin{at("US", 500, 40, 3), at("CN", 500, 60, 4), at("RU", 500, 30, 2)}, perDay: 9},
	{reason: identity.NoCredential, endpoint: "traces", transport: access.GRPC, agent: goSDK, from: []origin{at(inside, 77, 1, 1)}, perDay: 14},
	{reason: identity.NoCredential, endpoint: getKeys, transport: access.HTTP, agent: "Mozilla/5.0 zgrab/0.x", from: []origin{at("US", 600, 90, 2), at("NL", 600, 20, 1), at("CN", 600, 80, 2)}, perDay: 5},
	{reason: identity.MalformedCredential, endpoint: "traces", transport: access.HTTP, agent: nodeSDK, from: []origin{at("FR", 0, 1, 1)}, perDay: 2},
	{reason: identity.UnknownKey, endpoint: "logs", transport: access.HTTP, agent: pythonOld, from: []origin{at("IT", 3, 1, 1)}, perDay: 24, hinted: true},
	{reason: identity.UnknownKey, endpoint: "traces", transport: access.HTTP, agent: "python-requests/2.32.3", from: []origin{at("CN", 2, 1, 1)}, perDay: 2600, hinted: true, guesses: true, spans: []span{{6.12, 6.04}}},
	{reason: identity.TooManyFailures, endpoint: "traces", transport: access.HTTP, agent: "python-requests/2.32.3", from: []origin{at("CN", 2, 1, 1)}, perDay: 30_000, spans: []span{{6.11, 6.04}}},
}

// knock lets strangers come for a step.
func (w *world) knock(s step) {
	ago, d := w.agoOf(s.start), w.strangers.dice
	for i := range strangerKinds {
		kind := &strangerKinds[i]
		if !(&sender{spans: kind.spans}).sends(ago) {
			continue
		}
		n := d.poisson(kind.perDay * float64(s.length) / float64(day))
		for range min(n, maxLines) {
			w.knockOnce(kind, s)
		}
		if n > maxLines { // of a flood all but some have no line
			w.flood(kind, s, n-maxLines)
		}
	}
}

func (w *world) knockOnce(kind *stranger, s step) {
	d := w.strangers.dice
	at := s.moment(d)
	from := pick(d, kind.from, w.agoOf(at))
	g := kind.group()
	g.Address = from.address(d)
	if kind.hinted {
		own := newDice(w.Seed, kind.agent)
		if kind.guesses {
			own = d
		}
		g.Hint = fmt.Sprintf("%s_live_%s…%s", credential.DefaultPrefix, own.characters(), own.characters())
	}
	v := access.Volume{Requests: 1, Duration: time.Duration(20+d.IntN(70)) * time.Microsecond}
	w.note(&g, at, v, source{Strangers, d, s, kind.agent, from.country})
}

func (w *world) flood(kind *stranger, s step, n int64) {
	d := w.strangers.dice
	g := kind.group()
	g.Address = kind.from[0].address(d)
	w.requests[Strangers] += n
	v := access.Volume{Requests: n, Duration: time.Duration(30*n) * time.Microsecond}
	w.count(g, s.moment(d), access.Count{Volume: v}, source{Strangers, d, s, kind.agent, kind.from[0].country})
}

func (s *stranger) group() access.Group {
	return access.Group{Endpoint: s.endpoint, Transport: s.transport, Outcome: access.Refused, Reason: string(s.reason), Status: statusOf(s.reason)}
}
