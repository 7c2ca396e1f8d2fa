package clientip

import (
	"fmt"
	"net/netip"
	"strings"
)

// mappedBits is how much of an IPv4-mapped prefix comes before the IPv4 part.
const mappedBits = 96

// ParsePrefixes reads ranges given as CIDR or as a single address. The result
// is masked and in canonical form: IPv4-mapped IPv6 as IPv4, without zones.
func ParsePrefixes(texts []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := parsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("invalid address range %q: must be an IP address or a CIDR, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32", text)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		return canonicalPrefix(p), err
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	addr = canonical(addr)
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

func canonicalPrefix(p netip.Prefix) netip.Prefix {
	if addr := p.Addr(); addr.Is4In6() && p.Bits() >= mappedBits {
		p = netip.PrefixFrom(addr.Unmap(), p.Bits()-mappedBits)
	}
	return p.Masked()
}
