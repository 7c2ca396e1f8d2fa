package clientip

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// mappedBits is how much of an IPv4-mapped prefix comes before the IPv4 part.
const mappedBits = 96

var (
	errNoRange = errors.New("must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32, or an address")
	errMixed   = errors.New("must not mix IPv4 and IPv6: give each its own CIDR")
)

// ParsePrefix reads a range given as CIDR or as a single address. The result is
// masked and in canonical form: IPv4-mapped IPv6 as IPv4, as addresses of clients
// are. The error does not repeat the text.
func ParsePrefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if addr, addrErr := netip.ParseAddr(text); addrErr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil:
		return netip.Prefix{}, errNoRange
	case prefix.Addr().Is4In6() && prefix.Bits() < mappedBits:
		return netip.Prefix{}, errMixed
	}
	return canonicalPrefix(prefix), nil
}

// ParsePrefixes reads ranges as ParsePrefix does, but drops white space around
// them and zones of addresses.
func ParsePrefixes(texts []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		prefix, err := ParsePrefix(withoutZone(strings.TrimSpace(text)))
		if errors.Is(err, errNoRange) {
			err = errors.New("must be an IP address or a CIDR, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32")
		}
		if err != nil {
			return nil, fmt.Errorf("invalid address range %q: %w", text, err)
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// withoutZone drops the zone of an address and leaves every other text as it is.
func withoutZone(text string) string {
	if addr, err := netip.ParseAddr(text); err == nil && !strings.Contains(text, "/") { // a zone may hold one
		return addr.WithZone("").String()
	}
	return text
}

func canonicalPrefix(p netip.Prefix) netip.Prefix {
	if addr := p.Addr(); addr.Is4In6() && p.Bits() >= mappedBits {
		p = netip.PrefixFrom(addr.Unmap(), p.Bits()-mappedBits)
	}
	return p.Masked()
}

// Texts returns the texts of prefixes, which ParsePrefix reads.
func Texts(prefixes []netip.Prefix) []string {
	texts := make([]string, len(prefixes))
	for i, p := range prefixes {
		texts[i] = p.String()
	}
	return texts
}
