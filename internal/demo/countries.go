package demo

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// countriesFile is the name, inside the directory, of a geoip database that knows
// the addresses of the past.
const countriesFile = "countries.mmdb"

// writeCountries writes it, with the layout of GeoLite2-Country.
func (w *world) writeCountries() error {
	path := filepath.Join(w.Directory, countriesFile)
	if err := writeDatabase(path, w.Now.Unix()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writeDatabase(path string, built int64) error {
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "GeoLite2-Country", Description: map[string]string{"en": "the countries of the demo"}, Languages: []string{"en"},
		BuildEpoch: built, IncludeReservedNetworks: true, // those of documentation are
	})
	if err != nil {
		return err
	}
	for n, code := range countries {
		v4, v6 := networksOf(n)
		record := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}
		for _, network := range []netip.Prefix{v4, v6} {
			if err := tree.Insert(ipNet(network), record); err != nil {
				return err
			}
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := tree.WriteTo(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
