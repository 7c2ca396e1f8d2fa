package clientip

import (
	"net/netip"
	"slices"
)

// maxHops bounds the work that a hostile header can cause. No chain of
// proxies is that long.
const maxHops = 64

// Resolver finds the client's address. The zero value and nil trust no proxy.
// Immutable, and safe for concurrent use.
type Resolver struct {
	trusted []netip.Prefix
}

// NewResolver believes what proxies with an address in one of the ranges
// report. None means that headers are never looked at. Ranges of IPv6 do not
// contain IPv4 addresses, so that trusting everyone takes two ranges.
func NewResolver(trusted []netip.Prefix) *Resolver {
	r := &Resolver{trusted: make([]netip.Prefix, len(trusted))}
	for i, p := range trusted {
		r.trusted[i] = canonicalPrefix(p)
	}
	return r
}

// Resolve returns the client's address in canonical form: IPv4-mapped IPv6 as
// IPv4, without zone. Headers are HTTP headers with canonical names or gRPC
// metadata with lower-case ones; the result is valid wherever peer is.
//
// Where the peer is trusted, the chain of proxies is walked from it outwards,
// which is from right to left in Forwarded (RFC 7239) or X-Forwarded-For. The
// first address that is not trusted is the client. An entry that is not an
// address (empty, obfuscated, "unknown", mangled) ends the walk at the last
// trusted hop, since whatever is beyond it may have been made up by anyone. So
// does the end of the list, and its 64th entry.
//
// A proxy that maintains one of the two headers usually passes the other on as
// the client sent it, and nothing shows which is which. Where both are present
// and disagree, or one is present under both spellings, none is believed and
// the answer is the peer. Have the proxy delete the header that it does not
// maintain.
func (r *Resolver) Resolve(peer netip.Addr, headers map[string][]string) netip.Addr {
	peer = canonical(peer)
	if r == nil || !r.trusts(peer) {
		return peer
	}
	forwarded, ok1 := values(headers, "Forwarded", "forwarded")
	xff, ok2 := values(headers, "X-Forwarded-For", "x-forwarded-for")
	if !ok1 || !ok2 {
		return peer
	}
	switch {
	case len(forwarded) == 0:
		return r.walk(peer, xff, parseNode)
	case len(xff) == 0:
		return r.walk(peer, forwarded, parseForwardedElement)
	}
	client := r.walk(peer, forwarded, parseForwardedElement)
	if client != r.walk(peer, xff, parseNode) {
		return peer
	}
	return client
}

// values is not ok where the header is there under both spellings, since their
// order is lost.
func values(headers map[string][]string, canonicalName, lowerName string) (lines []string, ok bool) {
	lines, lower := headers[canonicalName], headers[lowerName]
	if len(lines) == 0 {
		return lower, true
	}
	return lines, len(lower) == 0
}

// walk goes through the entries of a header from the last to the first.
func (r *Resolver) walk(peer netip.Addr, lines []string, parse func(string) (netip.Addr, bool)) netip.Addr {
	hop := peer
	entries := reverseList{lines: lines}
	for range maxHops {
		entry, more := entries.next()
		if !more {
			return hop
		}
		addr, ok := parse(entry)
		if !ok {
			return hop
		}
		hop = addr
		if !r.trusts(hop) {
			return hop
		}
	}
	return hop
}

func (r *Resolver) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(r.trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}
