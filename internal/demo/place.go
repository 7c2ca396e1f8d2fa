package demo

import (
	"encoding/binary"
	"net/netip"

	"github.com/otlpgate/otlpgate/internal/access"
)

// countries are those that requests come from. Each has a part of the networks
// that are set aside for documentation, which nobody has.
var countries = []string{"DE", "NL", "US", "PT", "FR", "ES", "IT", "GB", "PL", "SE", "IE", "IN", "JP", "SG", "BR", "NG", "CN", "RU", "VN"}

// inside is where addresses of a private network are: in no country.
const inside = access.UnknownCountry

// sixteen addresses of three networks for each country.
var documentation = []netip.Addr{
	netip.MustParseAddr("192.0.2.0"), netip.MustParseAddr("198.51.100.0"), netip.MustParseAddr("203.0.113.0"),
}

// networksOf returns the networks of the nth country.
func networksOf(n int) (v4, v6 netip.Prefix) {
	base := documentation[n/16].As4()
	base[3] = byte(n%16) << 4
	long := netip.MustParseAddr("2001:db8::").As16()
	binary.BigEndian.PutUint16(long[4:], uint16(n+1))
	return netip.PrefixFrom(netip.AddrFrom4(base), 28), netip.PrefixFrom(netip.AddrFrom16(long), 48)
}

// v4Hosts is how many addresses of IPv4 a country has; those beyond are of IPv6.
const v4Hosts = 14

// addressIn returns the address of a host of a country.
func addressIn(country string, host int) netip.Addr {
	if country == inside {
		return netip.AddrFrom4([4]byte{10, 20, byte(host >> 8), byte(host)})
	}
	v4, v6 := networksOf(countryIndex[country])
	if host < v4Hosts {
		a := v4.Addr().As4()
		a[3] += byte(host + 1)
		return netip.AddrFrom4(a)
	}
	a := v6.Addr().As16()
	binary.BigEndian.PutUint64(a[8:], uint64(host)*0x9e3779b97f4a7c15) // as scattered as those of phones are
	return netip.AddrFrom16(a)
}

var countryIndex = func() map[string]int {
	index := map[string]int{}
	for i, code := range countries {
		index[code] = i
	}
	return index
}()

// origin is where requests come from.
type origin struct {
	country string
	first   int // host
	hosts   int // how many
	weight  float64
	// from and until bound it, in days ago; zero: always.
	from, until float64
}

// at is one host, or several, of a country.
func at(country string, first, hosts int, weight float64) origin {
	return origin{country: country, first: first, hosts: hosts, weight: weight}
}

// during bounds an origin.
func (o origin) during(from, until float64) origin {
	o.from, o.until = from, until
	return o
}

func (o *origin) holds(ago float64) bool { return o.from == 0 || (ago <= o.from && ago >= o.until) }

// pick draws one of the origins that hold.
func pick(d dice, origins []origin, ago float64) *origin {
	total := 0.0
	for i := range origins {
		if origins[i].holds(ago) {
			total += origins[i].weight
		}
	}
	drawn := d.Float64() * total
	last := &origins[0]
	for i := range origins {
		if o := &origins[i]; o.holds(ago) {
			last = o
			if drawn -= o.weight; drawn < 0 {
				break
			}
		}
	}
	return last
}

// address draws one of the origin's.
func (o *origin) address(d dice) netip.Addr { return addressIn(o.country, o.first+d.IntN(o.hosts)) }
