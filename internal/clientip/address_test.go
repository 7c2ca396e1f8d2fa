package clientip

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// textAddr is an address of a type that the package does not know.
type textAddr string

func (textAddr) Network() string  { return "test" }
func (a textAddr) String() string { return string(a) }

func TestFromNetAddrTakesTheAddressOfEveryKind(t *testing.T) {
	v4, v6 := net.ParseIP("192.0.2.1"), net.ParseIP("2001:db8::1")
	for _, tc := range []struct {
		addr net.Addr
		want string
	}{
		{nil, "invalid IP"},
		{&net.TCPAddr{IP: v4, Port: 80}, "192.0.2.1"},
		{&net.TCPAddr{IP: v4.To4(), Port: 80}, "192.0.2.1"},
		{&net.TCPAddr{IP: v6, Zone: "eth0"}, "2001:db8::1"},
		{&net.TCPAddr{}, "invalid IP"},
		{(*net.TCPAddr)(nil), "invalid IP"},
		{&net.UDPAddr{IP: v6}, "2001:db8::1"},
		{(*net.UDPAddr)(nil), "invalid IP"},
		{&net.IPAddr{IP: v4}, "192.0.2.1"},
		{&net.IPAddr{IP: v6, Zone: "eth0"}, "2001:db8::1"},
		{&net.IPAddr{IP: net.IP{1, 2}}, "invalid IP"},
		{(*net.IPAddr)(nil), "invalid IP"},
		{&net.UnixAddr{Name: "/run/192.0.2.1", Net: "unix"}, "invalid IP"},
		{(*net.UnixAddr)(nil), "invalid IP"},
		{textAddr("192.0.2.1:80"), "192.0.2.1"},
		{textAddr("192.0.2.1"), "192.0.2.1"},
		{textAddr("[2001:db8::1%eth0]:80"), "2001:db8::1"},
		{textAddr("2001:db8::1"), "2001:db8::1"},
		{textAddr("::ffff:192.0.2.1"), "192.0.2.1"},
		{textAddr("bufconn"), "invalid IP"},
		{textAddr("localhost:80"), "invalid IP"},
		{textAddr(""), "invalid IP"},
	} {
		assert.Equal(t, tc.want, FromNetAddr(tc.addr).String(), "%#v", tc.addr)
	}
}

func TestParsePrefixesAcceptsRangesAndAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8":          "10.0.0.0/8",
		"10.1.2.3/8":          "10.0.0.0/8",
		" 10.1.2.3\t":         "10.1.2.3/32",
		"2001:db8::/32":       "2001:db8::/32",
		"2001:db8::1":         "2001:db8::1/128",
		"fe80::1%eth0":        "fe80::1/128",
		"::ffff:10.1.2.3":     "10.1.2.3/32",
		"::ffff:10.1.2.3/104": "10.0.0.0/8",
		"::ffff:0:0/96":       "0.0.0.0/0",
		"::/0":                "::/0",
		"0.0.0.0/0":           "0.0.0.0/0",
	} {
		prefixes, err := ParsePrefixes([]string{text})
		require.NoError(t, err, text)
		assert.Equal(t, []netip.Prefix{netip.MustParsePrefix(want)}, prefixes, text)
	}
	none, err := ParsePrefixes(nil)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func TestParsePrefixesNamesTheValueAndTheRule(t *testing.T) {
	for _, text := range []string{"", "10.0.0.0/33", "10.0.0/8", "example.com", "10.0.0.1:80", "fe80::%eth0/10", "/8", "10.0.0.0/", "10.0.0.1-10.0.0.9"} {
		_, err := ParsePrefixes([]string{"10.0.0.0/8", text})
		assert.EqualError(t, err, `invalid address range "`+text+`": must be an IP address or a CIDR, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32`)
	}
}

func TestAPrefixIsNeitherOfTwoFamiliesNorOfThisMachineAlone(t *testing.T) {
	const noRange, mixed = "must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32, or an address", "must not mix IPv4 and IPv6: give each its own CIDR"
	for text, want := range map[string]string{
		"": noRange, " 10.0.0.1": noRange, "10.0.0.0/8 ": noRange, "10.0.0.0/33": noRange, "example.com": noRange,
		"fe80::1%eth0": noRange, "fe80::%eth0/10": noRange, "::ffff:10.0.0.1%eth0": noRange,
		"::ffff:10.0.0.0/90": mixed, "::ffff:0:0/95": mixed,
	} {
		_, err := ParsePrefix(text)
		require.EqualError(t, err, want, text)
	}
	for text, want := range map[string]string{
		"10.1.2.3/8": "10.0.0.0/8", "::ffff:10.1.2.3": "10.1.2.3/32", "::ffff:0:0/96": "0.0.0.0/0", "2001:db8::1": "2001:db8::1/128", "::/0": "::/0",
	} {
		prefix, err := ParsePrefix(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, prefix.String(), text)
	}
	_, err := ParsePrefixes([]string{"::ffff:10.0.0.0/90"})
	assert.EqualError(t, err, `invalid address range "::ffff:10.0.0.0/90": `+mixed)
}

func FuzzParsePrefixes(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8", "::ffff:1.2.3.4/100", "fe80::1%x", "/", "1.1.1.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		prefixes, err := ParsePrefixes([]string{text})
		if err != nil {
			return
		}
		require.Len(t, prefixes, 1)
		require.True(t, prefixes[0].IsValid())
		require.Equal(t, canonicalPrefix(prefixes[0]), prefixes[0])
	})
}
