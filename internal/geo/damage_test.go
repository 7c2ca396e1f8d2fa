package geo_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/oschwald/maxminddb-golang/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/geo"
	"github.com/otlpgate/otlpgate/internal/geo/geotest"
)

// treeSize returns how many bytes of a database are its tree.
func treeSize(t testing.TB, data []byte) int {
	t.Helper()
	reader, err := maxminddb.OpenBytes(data)
	require.NoError(t, err)
	return int(reader.Metadata.NodeCount * reader.Metadata.RecordSize / 4)
}

// circularTree returns a database each of whose nodes leads to the first one.
func circularTree(t testing.TB) []byte {
	t.Helper()
	data := geotest.Make(t, geotest.Options{}, records{network: geotest.Record("DE")})
	clear(data[:treeSize(t, data)])
	return data
}

// circularPointer returns a database where the code of one country is a pointer
// to itself.
func circularPointer(t testing.TB) []byte {
	t.Helper()
	data := geotest.Make(t, geotest.Options{}, records{
		"192.0.2.0/24": fields{"country_code": text("FR")}, network: fields{"country_code": text("QQ")},
	})
	at := bytes.Index(data, []byte("\x42QQ"))
	offset := at - treeSize(t, data) - 16
	require.Positive(t, offset)
	require.Less(t, offset, 256)
	data[at], data[at+1] = 0x20, byte(offset) // a pointer of 11 bits
	return data
}

func TestADamagedTreeIsRefusedInNoTime(t *testing.T) {
	_, err := geo.Open(file(t, circularTree(t)), geo.Options{})
	assert.ErrorContains(t, err, "no record of it has a country")
}

func TestADamagedRecordIsUnknown(t *testing.T) {
	d := open(t, file(t, circularPointer(t)))
	assert.Equal(t, geo.Unknown, d.Country(inside))
	assert.Equal(t, "FR", d.Country(netip.MustParseAddr("192.0.2.1")))
}

// FuzzOpen holds that whatever is in a file is refused or can be looked up in.
func FuzzOpen(f *testing.F) {
	for _, size := range []int{24, 28, 32} {
		f.Add(geotest.Make(f, geotest.Options{RecordSize: size}, records{network: geotest.Record("DE"), "2001:db8::/32": geotest.Record("FR")}))
		f.Add(geotest.Make(f, geotest.Options{RecordSize: size, IPv4: true}, records{"0.0.0.0/0": fields{"country_code": text("DE")}}))
	}
	f.Add(circularTree(f))
	f.Add(circularPointer(f))
	f.Add([]byte("\xab\xcd\xefMaxMind.com"))
	path := file(f, nil)
	addrs := []netip.Addr{
		{},
		inside, netip.IPv4Unspecified(), netip.MustParseAddr("255.255.255.255"), netip.IPv6Unspecified(),
		netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), netip.MustParseAddr("fe80::1%eth0"),
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, path, data)
		d, err := geo.Open(path, geo.Options{})
		if err != nil {
			assert.ErrorContains(t, err, path)
			return
		}
		d.Info()
		for _, addr := range addrs {
			assert.Regexp(t, `^[A-Z]{2}$`, d.Country(addr))
		}
	})
}
