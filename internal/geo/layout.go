package geo

import (
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"
)

// layout is where the records of a database have their country: the first path
// that leads to one.
type layout [][]any

// layouts are those in use. The order matters: IPinfo Lite has the country's
// name in country, and its code in country_code.
var layouts = []layout{
	// MaxMind, DB-IP, IP2Location. Where it is not known where the users of a
	// network are, MaxMind has only the country that it is registered in.
	{{"country", "iso_code"}, {"registered_country", "iso_code"}},
	// IPinfo Lite, IPLocate, ip-location-db.
	{{"country_code"}},
	// IPinfo's databases before Lite.
	{{"country"}},
}

// country returns the country of a record, unknown where it has none or is
// damaged. It decodes by path, since that alone does not follow the pointers of
// a damaged file in circles.
func (l layout) country(record maxminddb.Result) country {
	for _, path := range l {
		var code string
		if err := record.DecodePath(&code, path...); err != nil {
			continue
		}
		if c := parseCountry(code); c != unknown {
			return c
		}
	}
	return unknown
}

// findLayout returns the layout of the first record that has a country, nil where
// none has. It does not use the reader's own iterator, which takes for ever in a
// damaged tree: a tree has one leaf more than it has nodes.
func findLayout(reader *maxminddb.Reader) layout {
	addr := netip.IPv6Unspecified()
	if reader.Metadata.IPVersion == 4 {
		addr = netip.IPv4Unspecified()
	}
	for leaves := reader.Metadata.NodeCount + 1; leaves > 0 && addr.IsValid(); leaves-- {
		record := reader.Lookup(addr)
		if record.Found() {
			for _, l := range layouts {
				if l.country(record) != unknown {
					return l
				}
			}
		}
		addr = after(record.Prefix())
	}
	return nil
}

// after returns the address that follows those of a network, the zero one where
// there is none.
func after(network netip.Prefix) netip.Addr {
	last := network.Addr().AsSlice()
	for bit := max(network.Bits(), 0); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(last)
	return addr.Next()
}
