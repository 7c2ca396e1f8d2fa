package identity

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAllowsAddress(t *testing.T) {
	for _, test := range []struct {
		allowed []string
		addr    string // empty: unknown
		want    bool
	}{
		{nil, "192.0.2.1", true},
		{nil, "2001:db8::1", true},
		{nil, "", true},
		{[]string{"10.0.0.0/8"}, "", false},
		{[]string{"0.0.0.0/0", "::/0"}, "", false},
		{[]string{"10.0.0.0/8"}, "10.255.255.255", true},
		{[]string{"10.0.0.0/8"}, "11.0.0.0", false},
		{[]string{"10.1.2.3/8"}, "10.9.9.9", true},
		{[]string{"192.0.2.7/32"}, "192.0.2.7", true},
		{[]string{"192.0.2.7/32"}, "192.0.2.6", false},
		{[]string{"10.0.0.0/8"}, "::ffff:10.1.2.3", true},
		{[]string{"10.0.0.0/8"}, "::ffff:11.1.2.3", false},
		{[]string{"10.0.0.0/8"}, "::10.1.2.3", false},
		{[]string{"0.0.0.0/0"}, "2001:db8::1", false},
		{[]string{"::/0"}, "192.0.2.1", false},
		{[]string{"::/0"}, "::ffff:192.0.2.1", false},
		{[]string{"2001:db8::/32"}, "2001:db8:1::1", true},
		{[]string{"2001:db8::/32"}, "2001:db9::1", false},
		{[]string{"fe80::/10"}, "fe80::1%eth0", true},
		{[]string{"fe80::/10"}, "fec0::1%eth0", false},
		{[]string{"192.0.2.0/24", "2001:db8::/32"}, "2001:db8::1", true},
		{[]string{"192.0.2.0/24", "2001:db8::/32"}, "192.0.2.200", true},
	} {
		id := &Identity{}
		for _, cidr := range test.allowed {
			id.AllowedIPs = append(id.AllowedIPs, netip.MustParsePrefix(cidr))
		}
		var addr netip.Addr
		if test.addr != "" {
			addr = netip.MustParseAddr(test.addr)
		}
		assert.Equal(t, test.want, id.AllowsAddress(addr), "%q from %v", test.addr, test.allowed)
	}
	assert.False(t, (&Identity{AllowedIPs: make([]netip.Prefix, 1)}).AllowsAddress(netip.MustParseAddr("192.0.2.1")), "no range holds no address")
}

func TestAllowsProject(t *testing.T) {
	for _, test := range []struct {
		allowed []string
		project string
		want    bool
	}{
		{nil, "any", true},
		{nil, "", true},
		{[]string{"a", "b"}, "b", true},
		{[]string{"a", "b"}, "c", false},
		{[]string{"a"}, "A", false},
		{[]string{"a"}, "a ", false},
		{[]string{"a"}, "", false},
		{[]string{"a"}, "default", false},
		{[]string{"default"}, "", true},
		{[]string{"default"}, "default", true},
		{[]string{""}, "", false},
	} {
		assert.Equal(t, test.want, (&Identity{Projects: test.allowed}).AllowsProject(test.project), "%q of %q", test.project, test.allowed)
	}
}

func TestParseKeyTypeAndEnvironment(t *testing.T) {
	for _, want := range []KeyType{UserKey, SystemKey} {
		got, err := ParseKeyType(string(want))
		assert.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, want := range []Environment{Live, Test} {
		got, err := ParseEnvironment(string(want))
		assert.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := ParseKeyType("User")
	assert.EqualError(t, err, `unknown key type "User": must be user or system`)
	_, err = ParseEnvironment("")
	assert.EqualError(t, err, `unknown environment "": must be live or test`)
}
