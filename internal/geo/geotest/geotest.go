// Package geotest makes geoip databases for tests.
package geotest

import (
	"bytes"
	"cmp"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/require"
)

// Options say how a database is made. The zero value is that of
// GeoLite2-Country, built now.
type Options struct {
	Type  string // of the database
	Built int64  // Unix seconds
	IPv4  bool   // it has no place for IPv6 addresses
	// RecordSize is 24, 28 or 32 bits.
	RecordSize int
}

// Write puts a database with the layout of GeoLite2-Country at path, in the place
// of the one that is there: networks, such as 203.0.113.0/24, and their
// countries, such as DE. The file is replaced by renaming.
func Write(tb testing.TB, path string, countries map[string]string) {
	tb.Helper()
	records := make(map[string]mmdbtype.DataType, len(countries))
	for network, code := range countries {
		records[network] = Record(code)
	}
	next := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".next")
	require.NoError(tb, os.WriteFile(next, Make(tb, Options{}, records), 0o600))
	require.NoError(tb, os.Rename(next, path))
}

// Record returns the record of a country in GeoLite2-Country.
func Record(code string) mmdbtype.DataType {
	place := mmdbtype.Map{"iso_code": mmdbtype.String(code), "geoname_id": mmdbtype.Uint32(2921044)}
	return mmdbtype.Map{
		"continent":          mmdbtype.Map{"code": mmdbtype.String("EU"), "geoname_id": mmdbtype.Uint32(6255148)},
		"country":            place,
		"registered_country": place,
	}
}

// Make returns the bytes of a database with the record of each network.
func Make(tb testing.TB, o Options, records map[string]mmdbtype.DataType) []byte {
	tb.Helper()
	options := mmdbwriter.Options{
		DatabaseType: "GeoLite2-Country", Description: map[string]string{"en": "made for a test"}, Languages: []string{"en"},
		BuildEpoch: o.Built, RecordSize: o.RecordSize, IncludeReservedNetworks: true, // those of documentation are
	}
	if o.Type != "" {
		options.DatabaseType = o.Type
	}
	if o.IPv4 {
		options.IPVersion = 4
	}
	tree, err := mmdbwriter.New(options)
	require.NoError(tb, err)
	for _, network := range byLength(tb, slices.Collect(maps.Keys(records))) {
		require.NoError(tb, tree.Insert(network, records[network.String()]))
	}
	var made bytes.Buffer
	_, err = tree.WriteTo(&made)
	require.NoError(tb, err)
	return made.Bytes()
}

// byLength reads networks and puts the large ones first, since what is inserted
// later replaces a part of what is there.
func byLength(tb testing.TB, texts []string) []*net.IPNet {
	tb.Helper()
	networks := make([]*net.IPNet, 0, len(texts))
	for _, text := range texts {
		_, network, err := net.ParseCIDR(text)
		require.NoError(tb, err)
		require.Equal(tb, text, network.String(), "networks are written without bits after the mask")
		networks = append(networks, network)
	}
	slices.SortFunc(networks, func(a, b *net.IPNet) int {
		return cmp.Compare(ones(a), ones(b))
	})
	return networks
}

func ones(network *net.IPNet) int {
	n, _ := network.Mask.Size()
	return n
}
