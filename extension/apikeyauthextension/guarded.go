package apikeyauthextension

import (
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"
)

// guardedServers remembers the HTTP servers whose requests have been seen to
// pass our middleware. A verdict may be deferred for these alone: anywhere else
// a deferred refusal would be nobody's. The set does not keep servers alive.
type guardedServers struct {
	seen  sync.Map     // of weak.Pointer[http.Server] to struct{}
	added atomic.Int32 // those that have gone included
}

func (g *guardedServers) has(s *http.Server) bool {
	if s == nil {
		return false
	}
	_, ok := g.seen.Load(weak.Make(s))
	return ok
}

func (g *guardedServers) add(s *http.Server) {
	if s == nil || g.has(s) {
		return
	}
	p := weak.Make(s)
	if _, known := g.seen.LoadOrStore(p, struct{}{}); !known {
		g.added.Add(1)
		runtime.AddCleanup(s, func(p weak.Pointer[http.Server]) { g.seen.Delete(p) }, p)
	}
}

// count returns how many servers were ever added.
func (g *guardedServers) count() int { return int(g.added.Load()) }
