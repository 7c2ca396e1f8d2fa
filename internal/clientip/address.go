package clientip

import (
	"net"
	"net/netip"
)

// canonical returns the form in which addresses compare: IPv4-mapped IPv6
// (RFC 4291, section 2.5.5.2) as IPv4, and without a zone, which means nothing
// beyond this machine.
func canonical(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// FromNetAddr returns the IP address of a network address, in canonical form:
// IPv4-mapped IPv6 as IPv4, without zone. It is invalid where there is none,
// as for nil and for a Unix socket.
func FromNetAddr(addr net.Addr) netip.Addr {
	switch a := addr.(type) {
	case nil:
		return netip.Addr{}
	case *net.TCPAddr:
		return canonical(a.AddrPort().Addr())
	case *net.UDPAddr:
		return canonical(a.AddrPort().Addr())
	case *net.IPAddr:
		if a == nil {
			return netip.Addr{}
		}
		ip, _ := netip.AddrFromSlice(a.IP)
		return canonical(ip)
	case *net.UnixAddr:
		return netip.Addr{}
	}
	return fromText(addr.String())
}

func fromText(text string) netip.Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return canonical(ap.Addr())
	}
	ip, _ := netip.ParseAddr(text)
	return canonical(ip)
}
