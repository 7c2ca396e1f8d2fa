package geo_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/geo"
	"github.com/otlpgate/otlpgate/internal/geo/geotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	fields  = mmdbtype.Map
	text    = mmdbtype.String
	records = map[string]mmdbtype.DataType
)

// network is where the tests' only country is, if they need no other.
const network = "203.0.113.0/24"

var inside = netip.MustParseAddr("203.0.113.7")

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

func file(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "geoip.mmdb")
	write(t, path, data)
	return path
}

func open(t testing.TB, path string) *geo.Database {
	t.Helper()
	d, err := geo.Open(path, geo.Options{})
	require.NoError(t, err)
	return d
}

func made(t testing.TB, o geotest.Options, r records) *geo.Database {
	t.Helper()
	return open(t, file(t, geotest.Make(t, o, r)))
}

func TestEveryLayoutInUseIsRead(t *testing.T) {
	names := fields{"en": text("Germany")}
	for name, c := range map[string]struct {
		kind   string
		record mmdbtype.DataType
	}{
		"MaxMind's countries": {"GeoLite2-Country", geotest.Record("DE")},
		"MaxMind's cities": {"GeoIP2-City", fields{
			"city": fields{"names": fields{"en": text("Berlin")}}, "subdivisions": mmdbtype.Slice{fields{"iso_code": text("BE")}},
			"country": fields{"iso_code": text("DE"), "names": names}, "registered_country": fields{"iso_code": text("US")},
		}},
		"MaxMind's, registered alone": {"GeoLite2-Country", fields{"registered_country": fields{"iso_code": text("DE")}}},
		"MaxMind's, without a code": {"GeoLite2-Country", fields{
			"country": fields{"names": names}, "registered_country": fields{"iso_code": text("DE")},
		}},
		"DB-IP": {"DBIP-Country-Lite", fields{
			"continent": fields{"code": text("EU")},
			"country":   fields{"is_in_european_union": mmdbtype.Bool(true), "iso_code": text("DE"), "names": names},
		}},
		"IPinfo Lite": {"ipinfo generic_lite.mmdb", fields{
			"as_domain": text("example.net"), "asn": text("AS64500"), "continent": text("Europe"), "continent_code": text("EU"),
			"country": text("Germany"), "country_code": text("DE"),
		}},
		"IPinfo before Lite": {"ipinfo country_asn.mmdb", fields{
			"asn": text("AS64500"), "continent": text("EU"), "country": text("DE"), "country_name": text("Germany"),
		}},
		"ip-location-db": {"iplocate-country", fields{"country_code": text("DE")}},
		"in lower case":  {"homemade", fields{"country_code": text("de")}},
	} {
		t.Run(name, func(t *testing.T) {
			d := made(t, geotest.Options{Type: c.kind}, records{network: c.record})
			assert.Equal(t, "DE", d.Country(inside))
			assert.Equal(t, c.kind, d.Info().Type)
		})
	}
}

func TestWhatIsNoCodeIsUnknown(t *testing.T) {
	for _, code := range []string{"", "-", "D", "DEU", "Germany", "D1", "[]", "\x24\x25", "é", "ZZ", "zz"} {
		d := made(t, geotest.Options{}, records{
			"192.0.2.0/24": geotest.Record("FR"), network: geotest.Record(code),
			"198.51.100.0/24": fields{"country": text("DE")},
		})
		assert.Equal(t, geo.Unknown, d.Country(inside), code)
		assert.Equal(t, geo.Unknown, d.Country(netip.MustParseAddr("198.51.100.1")), "of another layout")
		assert.Equal(t, "FR", d.Country(netip.MustParseAddr("192.0.2.255")))
	}
}

func TestAddressesOfEveryFormHaveTheirCountry(t *testing.T) {
	countries := records{network: geotest.Record("DE"), "203.0.113.128/25": geotest.Record("AT"), "0.0.0.0/8": geotest.Record("XK")}
	six := records{"2001:db8::/32": geotest.Record("FR"), "fe80::/10": geotest.Record("CH"), "ffff::/16": geotest.Record("IS")}
	for addr, want := range map[string]struct{ both, four string }{
		"203.0.113.0":            {"DE", "DE"},
		"203.0.113.127":          {"DE", "DE"},
		"203.0.113.128":          {"AT", "AT"},
		"203.0.114.0":            {"ZZ", "ZZ"},
		"0.0.0.0":                {"XK", "XK"},
		"255.255.255.255":        {"ZZ", "ZZ"},
		"::ffff:203.0.113.7":     {"DE", "DE"},
		"::ffff:203.0.113.7%en0": {"DE", "DE"},
		"2001:db8::1":            {"FR", "ZZ"},
		"2001:db9::":             {"ZZ", "ZZ"},
		"fe80::1%eth0":           {"CH", "ZZ"},
		"ffff:ffff::":            {"IS", "ZZ"},
	} {
		for _, size := range []int{24, 28, 32} {
			all := records{}
			for _, some := range []records{countries, six} {
				maps.Copy(all, some)
			}
			both := made(t, geotest.Options{RecordSize: size}, all)
			four := made(t, geotest.Options{RecordSize: size, IPv4: true}, countries)
			assert.Equal(t, want.both, both.Country(netip.MustParseAddr(addr)), addr)
			assert.Equal(t, want.four, four.Country(netip.MustParseAddr(addr)), "%s, where IPv6 has no place", addr)
			assert.Equal(t, geo.Unknown, both.Country(netip.Addr{}))
			assert.Equal(t, geo.Unknown, four.Country(netip.Addr{}))
		}
	}
}

// TestRecordsAreNotTakenForOneAnother has more records than are remembered.
func TestRecordsAreNotTakenForOneAnother(t *testing.T) {
	countries, code := records{}, func(n int) string { return string([]byte{'A' + byte(n/26%26), 'A' + byte(n%26)}) }
	const networks = 4000
	for n := range networks {
		countries[fmt.Sprintf("10.%d.%d.0/24", n/256, n%256)] = fields{"country_code": text(code(n)), "number": mmdbtype.Uint32(n)}
	}
	d := made(t, geotest.Options{}, countries)
	for range 2 {
		for n := range networks {
			require.Equal(t, code(n), d.Country(netip.AddrFrom4([4]byte{10, byte(n / 256), byte(n), 1})))
		}
	}
}

func TestADatabaseSaysWhatItIs(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	built := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	path := file(t, geotest.Make(t, geotest.Options{Built: built.Unix()}, records{network: geotest.Record("DE")}))
	d, err := geo.Open(path, geo.Options{Logger: zap.New(core)})
	require.NoError(t, err)
	assert.Equal(t, geo.Info{Type: "GeoLite2-Country", Built: built}, d.Info())
	require.Equal(t, 1, logs.Len())
	assert.Equal(t, map[string]any{"path": path, "type": "GeoLite2-Country", "built": built}, logs.All()[0].ContextMap())
}

func TestALookupDoesNotAllocate(t *testing.T) {
	d := made(t, geotest.Options{}, records{network: geotest.Record("DE")})
	four := made(t, geotest.Options{IPv4: true}, records{network: geotest.Record("DE")})
	six := netip.MustParseAddr("2001:db8::1")
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.Country(inside); d.Country(six); four.Country(six) }))
}

func compressed(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestOpenSaysWhatIsWrongWithTheFile(t *testing.T) {
	good := geotest.Make(t, geotest.Options{}, records{network: geotest.Record("DE")})
	asn := records{network: fields{"autonomous_system_number": mmdbtype.Uint32(64500), "autonomous_system_organization": text("Example")}}
	in := func(data []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) { write(t, path, data) }
	}
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want string
		is   error
	}{
		"missing":      {func(*testing.T, string) {}, "no such file or directory: put a MaxMind database (.mmdb) of countries or cities there, or set geoip::database to one", fs.ErrNotExist},
		"a directory":  {func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) }, "it is not a regular file: put a ", nil},
		"empty":        {in(nil), "it is empty: put a ", nil},
		"text":         {in([]byte("<html>404</html>")), "it is not a MaxMind database, or not all of one: put a ", nil},
		"half":         {in(good[:len(good)/2]), "it is not a MaxMind database, or not all of one: put a ", nil},
		"compressed":   {in(compressed(t, good)), "it is compressed: unpack it with gunzip or tar -xzf", nil},
		"cut metadata": {in(good[:len(good)-20]), "its metadata are damaged: ", nil},
		"no tree":      {in(good[len(good)-400:]), "it is damaged: ", nil},
		"large": {func(t *testing.T, path string) {
			write(t, path, nil)
			require.NoError(t, os.Truncate(path, 3<<30))
		}, "it takes 3221225472 bytes, must be at most 2147483648: put a ", nil},
		"networks of providers": {in(geotest.Make(t, geotest.Options{Type: "GeoLite2-ASN"}, asn)), `its type is "GeoLite2-ASN", and no record of it has a country: put a `, nil},
		"no networks":           {in(geotest.Make(t, geotest.Options{}, nil)), `its type is "GeoLite2-Country", and no record of it has a country: put a `, nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "geoip.mmdb")
			c.make(t, path)
			_, err := geo.Open(path, geo.Options{})
			require.ErrorContains(t, err, fmt.Sprintf("open geoip database %q: %s", path, c.want))
			if c.is != nil {
				assert.ErrorIs(t, err, c.is)
			}
		})
	}
}

func BenchmarkCountry(b *testing.B) {
	countries := records{}
	for n := range 20_000 {
		countries[fmt.Sprintf("%d.%d.%d.0/24", 1+n%200, n/200, n%256)] = geotest.Record([]string{"DE", "FR", "US", "BR"}[n%4])
	}
	d := made(b, geotest.Options{}, countries)
	addr := netip.MustParseAddr("8.0.7.9")
	require.NotEqual(b, geo.Unknown, d.Country(addr))
	b.ReportAllocs()
	for b.Loop() {
		d.Country(addr)
	}
}
