package clientip

import (
	"net/netip"
	"strings"
)

const (
	space = " \t"
	// maxElement and maxNode are more than any proxy writes into one entry and
	// for one address.
	maxElement = 4096
	maxNode    = 100
)

// reverseList yields the elements of a comma-separated header from the last to
// the first, without allocating. Several lines are one list (RFC 9110, section
// 5.3). An element longer than maxElement is yielded as empty, for ever, which
// no parser takes for an address.
//
// It does not respect quotes, for whoever sent the left part of a line could
// open one there to swallow what the proxies added. A comma inside a proxy's
// own quoted string leaves an odd number of quotes to its right, which
// parseForwardedElement refuses.
type reverseList struct {
	lines []string
	rest  string // of the current line
	open  bool   // whether rest holds another element, maybe empty
}

func (l *reverseList) next() (element string, ok bool) {
	if !l.open {
		if len(l.lines) == 0 {
			return "", false
		}
		last := len(l.lines) - 1
		l.rest, l.lines, l.open = l.lines[last], l.lines[:last], true
	}
	beyond := max(len(l.rest)-maxElement, 0)
	comma := strings.LastIndexByte(l.rest[beyond:], ',')
	if comma < 0 && beyond > 0 {
		return "", true
	}
	element, l.open = l.rest[beyond+comma+1:], comma >= 0
	l.rest = l.rest[:max(beyond+comma, 0)]
	return strings.Trim(element, space), true
}

// parseNode reads an address with optional port: 192.0.2.1, 192.0.2.1:80,
// 2001:db8::1, [2001:db8::1] or [2001:db8::1]:80. It is stricter about ports
// than it would need to be, because an odd one is a sign of a list that was
// tampered with.
func parseNode(text string) (netip.Addr, bool) {
	if len(text) > maxNode {
		return netip.Addr{}, false
	}
	host, port, ok := cutPort(text)
	if !ok || !validPort(port) {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	return canonical(addr), err == nil
}

// cutPort returns the port with its colon, empty where there is none.
func cutPort(text string) (host, port string, ok bool) {
	if strings.HasPrefix(text, "[") {
		end := strings.IndexByte(text, ']')
		if end < 0 || !strings.Contains(text[:end], ":") {
			return "", "", false
		}
		return text[1:end], text[end+1:], true
	}
	if colon := strings.IndexByte(text, ':'); colon >= 0 && colon == strings.LastIndexByte(text, ':') {
		return text[:colon], text[colon:], true
	}
	return text, "", true
}

// validPort accepts nothing, :1*5DIGIT and, from RFC 7239, section 6, an
// obfuscated port such as :_x1.
func validPort(port string) bool {
	if port == "" {
		return true
	}
	name := port[1:]
	switch {
	case port[0] != ':' || name == "":
		return false
	case name[0] == '_':
		return len(name) > 1 && strings.Trim(name, letters+digits+"._-") == ""
	}
	return len(name) <= 5 && strings.Trim(name, digits) == ""
}

const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// token are the characters of an RFC 9110 token.
	token = digits + letters + "!#$%&'*+-.^_`|~"
	// bare are the characters of an unquoted value. RFC 7239 wants quotes
	// around those beyond a token, which many proxies leave out.
	bare = token + ":[]"
)

// parseForwardedElement returns the address of the for parameter of one
// element of Forwarded, such as
//
//	for="[2001:db8::1]:4711";proto=https;by=203.0.113.43
//
// The whole element must be well-formed (see reverseList) and have one for.
func parseForwardedElement(text string) (netip.Addr, bool) {
	node, found := "", false
	for text = skipEmptyPairs(text); text != ""; {
		name, value, rest, ok := cutPair(text)
		if !ok {
			return netip.Addr{}, false
		}
		if strings.EqualFold(name, "for") {
			if found {
				return netip.Addr{}, false
			}
			node, found = value, true
		}
		text = skipEmptyPairs(rest)
	}
	return parseNode(node)
}

// skipEmptyPairs also skips the separator: RFC 7239, section 4 allows both
// for=x;;proto=y and a semicolon at either end.
func skipEmptyPairs(text string) string { return strings.TrimLeft(text, ";"+space) }

// cutPair splits off one name=value; rest is empty or begins with the
// semicolon. A value keeps its escapes: no address has any.
func cutPair(text string) (name, value, rest string, ok bool) {
	name, text, ok = strings.Cut(text, "=")
	if !ok || name == "" || strings.Trim(name, token) != "" {
		return "", "", "", false
	}
	if strings.HasPrefix(text, `"`) {
		value, rest, ok = cutQuoted(text[1:])
	} else {
		end := len(text) - len(strings.TrimLeft(text, bare))
		value, rest, ok = text[:end], text[end:], end > 0
	}
	rest = strings.TrimLeft(rest, space)
	return name, value, rest, ok && (rest == "" || rest[0] == ';')
}

// cutQuoted returns the contents of a quoted string (RFC 9110, section 5.6.4)
// whose opening quote is gone already.
func cutQuoted(text string) (contents, rest string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[:i], text[i+1:], true
		}
	}
	return "", "", false
}
