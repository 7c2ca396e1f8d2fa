package clientip

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The proxies of these tests: one that the collector sees and two behind it.
const (
	proxy  = "10.0.0.1"
	proxy2 = "10.0.0.2"
	proxy6 = "2001:db8:aaaa::1"
	client = "203.0.113.9"
)

func resolver(t testing.TB) *Resolver {
	t.Helper()
	prefixes, err := ParsePrefixes([]string{"10.0.0.0/8", "2001:db8:aaaa::/48", "fe80::/10"})
	require.NoError(t, err)
	return NewResolver(prefixes)
}

func xff(lines ...string) map[string][]string {
	return map[string][]string{"X-Forwarded-For": lines}
}

func forwarded(lines ...string) map[string][]string {
	return map[string][]string{"Forwarded": lines}
}

func TestHeadersOfAnUntrustedPeerAreIgnored(t *testing.T) {
	headers := map[string][]string{
		"Forwarded": {"for=10.9.9.9"}, "X-Forwarded-For": {"10.9.9.9"}, "x-forwarded-for": {"10.9.9.9"},
	}
	for _, peer := range []string{client, "2001:db8::1", "11.0.0.1", "::ffff:11.0.0.1"} {
		addr := netip.MustParseAddr(peer)
		assert.Equal(t, addr.Unmap(), resolver(t).Resolve(addr, headers))
		assert.Equal(t, addr.Unmap(), NewResolver(nil).Resolve(addr, headers))
		assert.Equal(t, addr.Unmap(), (*Resolver)(nil).Resolve(addr, headers))
		assert.Equal(t, addr.Unmap(), new(Resolver).Resolve(addr, headers))
	}
	assert.False(t, resolver(t).Resolve(netip.Addr{}, headers).IsValid(), "no address is no trusted address")
}

func TestTheRightmostUntrustedAddressIsTheClient(t *testing.T) {
	for name, tc := range map[string]struct {
		headers map[string][]string
		want    string
	}{
		"no header":             {nil, proxy},
		"one hop":               {xff(client), client},
		"spoofed left part":     {xff("1.1.1.1, 10.7.7.7, " + client), client},
		"two proxies":           {xff("1.1.1.1," + client + "," + proxy2), client},
		"several lines":         {xff("1.1.1.1", client+", "+proxy2, proxy2), client},
		"spoofed line":          {xff("1.1.1.1", client), client},
		"all trusted":           {xff("10.5.5.5, " + proxy2), "10.5.5.5"},
		"tabs":                  {xff("1.1.1.1,\t" + client + "\t"), client},
		"gRPC spelling":         {map[string][]string{"x-forwarded-for": {client}}, client},
		"with port":             {xff(client + ":4317"), client},
		"IPv6":                  {xff("2001:db8::7"), "2001:db8::7"},
		"IPv6 in brackets":      {xff("[2001:db8::7]"), "2001:db8::7"},
		"IPv6 with port":        {xff("[2001:db8::7]:4317"), "2001:db8::7"},
		"through IPv6 proxy":    {xff(client + ", " + proxy6), client},
		"mapped":                {xff("::ffff:" + client), client},
		"mapped proxy":          {xff(client + ", ::ffff:" + proxy2), client},
		"zone":                  {xff("2001:db8::7%eth0"), "2001:db8::7"},
		"zone of a proxy":       {xff(client + ", fe80::1%eth0"), client},
		"F one hop":             {forwarded("for=" + client), client},
		"F parameters":          {forwarded("by=10.0.0.1;for=" + client + ";proto=http;host=example.com"), client},
		"F any case":            {forwarded("For=" + client + ";PROTO=https"), client},
		"F spoofed left part":   {forwarded("for=1.1.1.1, for=" + client), client},
		"F several lines":       {forwarded("for=1.1.1.1", "for="+client, "for="+proxy2), client},
		"F quoted":              {forwarded(`for="` + client + `"`), client},
		"F quoted with port":    {forwarded(`for="` + client + `:80"`), client},
		"F obfuscated port":     {forwarded(`for="` + client + `:_x.-1"`), client},
		"F IPv6":                {forwarded(`for="[2001:db8::7]:4711";proto=https`), "2001:db8::7"},
		"F IPv6 unquoted":       {forwarded(`for=[2001:db8::7]:4711`), "2001:db8::7"},
		"F spaces at semicolon": {forwarded("for=" + client + " ; proto=https"), client},
		"F empty pairs":         {forwarded(";for=" + client + ";;proto=https;"), client},
		"F escapes elsewhere":   {forwarded(`host="a\"b\\";for=` + client), client},
		"F gRPC spelling":       {map[string][]string{"forwarded": {"for=" + client}}, client},
		"F all trusted":         {forwarded("for=10.5.5.5, for=" + proxy2), "10.5.5.5"},
		"F after open quote":    {forwarded(`for=", for=` + client), client},
		"F after open quote 2":  {forwarded(`for="`, `for=`+client), client},
		"F after escape":        {forwarded(`for="\, for=` + client), client},
	} {
		t.Run(name, func(t *testing.T) {
			got := resolver(t).Resolve(netip.MustParseAddr(proxy), tc.headers)
			assert.Equal(t, tc.want, got.String())
		})
	}
}

// 1.1.1.1 is what someone would like us to believe.
func TestNothingBeyondAnUnreadableEntryIsBelieved(t *testing.T) {
	for _, entry := range []string{
		"", "unknown", "_hidden", "example.com", "localhost", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4/32",
		"1.2.3.4:", "1.2.3.4:123456", "1.2.3.4:x", "1.2.3.4:-1", "1.2.3.4:_", "[1.2.3.4]", "[1.2.3.4]:80", "[2001:db8::7", "2001:db8::7]",
		"[2001:db8::7]80", "[2001:db8::7]:", "[]", "[", "::1::", `"1.2.3.4"`, "1.2.3.4 5.6.7.8", "1.2.3.4;", "\x00", "\xff\xfe", "１.2.3.4",
		strings.Repeat("1", 1<<20), "x" + strings.Repeat(" ", maxElement) + "1.2.3.4",
	} {
		assert.Equal(t, proxy, resolve(t, xff("1.1.1.1, "+entry)), "%.40q next to the peer", entry)
		assert.Equal(t, proxy, resolve(t, xff("1.1.1.1", entry)), "%.40q in a line of its own", entry)
		assert.Equal(t, proxy2, resolve(t, xff("1.1.1.1, "+entry+", "+proxy2)), "%.40q beyond another proxy", entry)
	}
	for _, element := range []string{
		"", "for=", `for=""`, "for", "for=unknown", "for=_hidden", "by=10.0.0.2", "proto=https", "for=1.2.3.4;for=1.2.3.4", "for=1.2.3.4;For=5.6.7.8", `for="";for=1.2.3.4`,
		"for =1.2.3.4", "for= 1.2.3.4", `for="1.2.3.4`, `for="1.2.3.4\"`, `for="1.2.3.4"x`, `for=1.2.3.4"`, "for=1.2.3.4 proto=http", "=1.2.3.4",
		`for="1.2.3.\4"`, "1.2.3.4", "for:1.2.3.4", "for=1.2.3.4;=", "for=1.2.3.4;x", `for=1.2.3.4;x="`, "for=1.2.3.4;x=\\", "f\x00r=1.2.3.4",
	} {
		assert.Equal(t, proxy, resolve(t, forwarded("for=1.1.1.1, "+element)), "%q next to the peer", element)
		assert.Equal(t, proxy2, resolve(t, forwarded("for=1.1.1.1, "+element+", for="+proxy2)), "%q beyond another proxy", element)
	}
}

// A proxy may copy the Host header, which is the client's to choose, into a
// quoted string.
func TestACommaInsideAQuotedStringForgesNothing(t *testing.T) {
	for _, host := range []string{
		"evil, for=1.1.1.1", "evil, for=1.1.1.1;x=", "evil, for=1.1.1.1;x=y", `evil\", for=1.1.1.1;x=\"`, "evil, for=1.1.1.1, a",
		`\\, for=1.1.1.1;x=\"`, ", for=1.1.1.1;", "evil,for=1.1.1.1,",
	} {
		for _, element := range []string{
			`for=203.0.113.9;host="` + host + `"`,
			`host="` + host + `";for=203.0.113.9`,
			`host="` + host + `";for="203.0.113.9";proto=https`,
			`by="_a";host="` + host + `";for="203.0.113.9"`,
			`host="` + host + `";by="_a";for="203.0.113.9";host2="` + host + `"`,
		} {
			got := resolve(t, forwarded(element))
			assert.Contains(t, []string{proxy, client}, got, element)
		}
	}
}

func resolve(t *testing.T, headers map[string][]string) string {
	t.Helper()
	return resolver(t).Resolve(netip.MustParseAddr(proxy), headers).String()
}

func TestHeadersThatDisagreeAreNotBelieved(t *testing.T) {
	for name, tc := range map[string]struct {
		headers map[string][]string
		want    string
	}{
		"agree":            {map[string][]string{"Forwarded": {"for=" + client}, "X-Forwarded-For": {client}}, client},
		"agree in lower":   {map[string][]string{"forwarded": {"for=" + client}, "x-forwarded-for": {"1.1.1.1, " + client}}, client},
		"disagree":         {map[string][]string{"Forwarded": {"for=1.1.1.1"}, "X-Forwarded-For": {client}}, proxy},
		"one is garbage":   {map[string][]string{"Forwarded": {"x"}, "X-Forwarded-For": {client}}, proxy},
		"one is empty":     {map[string][]string{"Forwarded": {""}, "X-Forwarded-For": {client}}, proxy},
		"one has no lines": {map[string][]string{"Forwarded": {}, "X-Forwarded-For": {client}}, client},
		"both spellings":   {map[string][]string{"x-forwarded-for": {client}, "X-Forwarded-For": {client}}, proxy},
		"both spellings F": {map[string][]string{"forwarded": {"for=1.1.1.1"}, "Forwarded": {"for=" + client}}, proxy},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tc.want, resolve(t, tc.headers)) })
	}
}

func TestAtMost64HopsOfBoundedLengthAreExamined(t *testing.T) {
	hops := strings.Repeat(", 10.0.0.7", maxHops)
	assert.Equal(t, client, resolve(t, xff(client+strings.Repeat(", 10.0.0.7", maxHops-1))))
	assert.Equal(t, "10.0.0.7", resolve(t, xff(client+hops)))
	assert.Equal(t, client, resolve(t, forwarded("for="+client+`;host="`+strings.Repeat("x", 4000)+`"`)))
	assert.Equal(t, proxy, resolve(t, forwarded("for="+client+`;host="`+strings.Repeat("x", 5000)+`"`)))
	assert.Equal(t, "10.0.0.7", resolve(t, xff(client+strings.Repeat(", 10.0.0.7", 100_000))))
}

func TestMappedPeersAndRangesAreIPv4(t *testing.T) {
	mapped := netip.MustParseAddr("::ffff:" + proxy)
	assert.Equal(t, client, resolver(t).Resolve(mapped, xff(client)).String())
	r := NewResolver([]netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")})
	assert.Equal(t, client, r.Resolve(netip.MustParseAddr(proxy), xff(client)).String())
	zoned := netip.MustParseAddr("fe80::1%eth0")
	assert.Equal(t, client, resolver(t).Resolve(zoned, xff(client)).String())
	assert.Equal(t, "fe80::1", resolver(t).Resolve(zoned, nil).String())
}

func TestNewResolverCopiesItsRanges(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	r := NewResolver(trusted)
	trusted[0] = netip.MustParsePrefix("0.0.0.0/0")
	assert.Equal(t, client, r.Resolve(netip.MustParseAddr(client), xff("1.1.1.1")).String())
}

func FuzzResolve(f *testing.F) {
	for _, seed := range []string{
		"", client, "1.1.1.1, " + client, `for="[2001:db8::1]:4711";proto=https`, `for="`, `for="\`, "unknown", ",,,", "10.0.0.1, 10.0.0.2",
		"for=1.1.1.1;for=2.2.2.2", "::ffff:1.2.3.4%x", "[::1%25lo]:80", `host="a,b";for=1.1.1.1`,
	} {
		f.Add(proxy, seed, seed)
		f.Add(client, seed, seed)
		f.Add(proxy6, "for="+seed, seed)
	}
	r := resolver(f)
	last := netip.MustParseAddr(client)
	f.Fuzz(func(t *testing.T, peerText, fwd, fwdFor string) {
		peer, _ := netip.ParseAddr(peerText)
		hop := canonical(peer)
		both := r.Resolve(peer, map[string][]string{"Forwarded": {fwd}, "X-Forwarded-For": {fwdFor}})
		byF, byX := r.Resolve(peer, forwarded(fwd)), r.Resolve(peer, xff(fwdFor))
		for _, got := range []netip.Addr{both, byF, byX} {
			require.Equal(t, hop.IsValid(), got.IsValid())
			require.Equal(t, canonical(got), got)
		}
		if byF == byX {
			require.Equal(t, byF, both)
		} else {
			require.Equal(t, hop, both)
		}
		if !r.trusts(hop) {
			require.Equal(t, hop, both)
			return
		}
		// Whatever a client sends, the trusted proxy's own entry decides.
		for _, headers := range []map[string][]string{
			xff(fwdFor + "," + client), xff(fwdFor, client), forwarded(fwd + ",for=" + client), forwarded(fwd, "for="+client),
			forwarded(fwd, `for="`+client+`:80";proto=http`),
		} {
			require.Equal(t, last, r.Resolve(peer, headers))
		}
	})
}

// A client chooses a value that its proxy quotes as RFC 9110 says.
func FuzzQuotedValueForgesNothing(f *testing.F) {
	for _, seed := range []string{"example.com", "evil, for=1.1.1.1", `a", for=1.1.1.1;x="`, `\`, `\", for=1.1.1.1;x=\"`, `,for=1.1.1.1;x="\`} {
		f.Add(seed)
	}
	r := resolver(f)
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	f.Fuzz(func(t *testing.T, value string) {
		q := `"` + quote.Replace(value) + `"`
		for _, element := range []string{
			"host=" + q + `;for="` + client + `"`, "for=" + client + ";host=" + q, "by=" + q + ";for=" + client + ";host=" + q,
		} {
			got := r.Resolve(netip.MustParseAddr(proxy), forwarded(element)).String()
			require.Contains(t, []string{proxy, client}, got, element)
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	peer := netip.MustParseAddr(proxy)
	for name, tc := range map[string]struct {
		r       *Resolver
		headers map[string][]string
	}{
		"no proxies":  {NewResolver(nil), xff(client)},
		"one hop":     {resolver(b), xff(client)},
		"Forwarded":   {resolver(b), forwarded(`for="` + client + `:80";proto=https`)},
		"three hops":  {resolver(b), xff("1.1.1.1, " + client + ", " + proxy6 + ", " + proxy2)},
		"1 MiB":       {resolver(b), xff(strings.Repeat("a", 1<<20))},
		"100000 hops": {resolver(b), xff(strings.Repeat("10.0.0.1,", 100_000) + proxy)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = tc.r.Resolve(peer, tc.headers)
			}
		})
	}
}

func TestUsualRequestIsResolvedWithoutAllocating(t *testing.T) {
	r, peer := resolver(t), netip.MustParseAddr(proxy)
	for name, headers := range map[string]map[string][]string{
		"none": nil, "x-forwarded-for": xff("1.1.1.1, " + client + ", " + proxy2), "forwarded": forwarded(`for="` + client + `:80";proto=https`),
	} {
		assert.Zero(t, testing.AllocsPerRun(1000, func() { r.Resolve(peer, headers) }), name)
	}
}
