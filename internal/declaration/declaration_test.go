package declaration_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	minted = credential.Format{}.Mint(credential.Live)
	digest = minted.Digest().String()
)

func plans(t *testing.T) *limit.Plans {
	t.Helper()
	p, err := limit.NewPlans(nil, limit.DefaultPlan)
	require.NoError(t, err)
	return p
}

func records(t *testing.T, d declaration.Document) declaration.Records {
	t.Helper()
	r, err := d.Records(plans(t))
	require.NoError(t, err)
	return r
}

// faults returns pointer and rule of all that is wrong with the document.
func faults(t *testing.T, d declaration.Document) map[string]string {
	t.Helper()
	r, err := d.Records(plans(t))
	require.Error(t, err)
	assert.Empty(t, r)
	found := map[string]string{}
	for _, e := range declaration.Errors(err) {
		assert.Contains(t, err.Error(), strings.Join(e.Path, "::")+": "+e.Rule)
		assert.NotContains(t, err.Error(), minted.Reveal())
		assert.False(t, e.Conflict)
		found[e.Pointer()] = e.Rule
	}
	return found
}

func TestADocumentIsReadFromJSONAsTheAdminAPITakesIt(t *testing.T) {
	var d declaration.Document
	require.NoError(t, json.Unmarshal([]byte(`{
		"users": [{"id": "ada", "email": "Ada@example.com", "name": "Ada", "role": "viewer", "active": false}],
		"keys": [{
			"id": "key_aaaaaaaaaaaaaaaaaaaa", "name": "full", "description": "every\nfield", "digest": "`+digest+`", "hint": "px_live_abcd…wxyz",
			"type": "user", "environment": "test", "ownerId": "ada", "scopes": ["traces:write"], "projects": ["shop"], "plan": "pro",
			"limits": [{"on": "logs", "unit": "bytes", "max": 5, "window": "1h"}], "allowedIps": ["203.0.113.9/24"],
			"expectedCountries": ["DE", "XK"], "expiresAt": "2030-01-31T01:00:00+01:00"}]}`), &d))
	r := records(t, d)
	assert.Equal(t, []store.User{{ID: "ada", Email: "Ada@example.com", Name: "Ada", Role: identity.Viewer}}, r.Users)
	require.Len(t, r.Keys, 1)
	k := r.Keys[0]
	assert.Equal(t, "203.0.113.0/24", k.AllowedIPs[0].String())
	assert.Equal(t, time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC), k.ExpiresAt)
	assert.Equal(t, []store.Secret{{Digest: store.Digest(minted.Digest()), Hint: "px_live_abcd…wxyz"}}, k.Secrets)
	k.AllowedIPs, k.ExpiresAt, k.Secrets = nil, time.Time{}, nil
	assert.Equal(t, store.Key{
		ID: "key_aaaaaaaaaaaaaaaaaaaa", Name: "full", Description: "every\nfield", Type: identity.UserKey, Environment: identity.Test,
		OwnerID: "ada", Scopes: []identity.Scope{identity.TracesWrite}, Projects: []string{"shop"}, Plan: "pro",
		Limits:            []limit.Limit{{On: limit.Logs, Unit: limit.Bytes, Max: 5, Window: limit.Window(time.Hour)}},
		ExpectedCountries: []string{"DE", "XK"},
	}, k)

	text, err := json.Marshal(d)
	require.NoError(t, err)
	var again declaration.Document
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, d, again)
}

func TestWhatIsLeftOutHasADefault(t *testing.T) {
	r := records(t, declaration.Document{
		Users: []declaration.User{{Email: "ada@example.com"}, {ID: "team.a_1-x"}},
		Keys:  []declaration.Key{{Name: "least", Digest: digest, Preset: "read-write"}},
	})
	assert.Equal(t, []store.User{
		{ID: "user_wx6ilzkxkx46bubquefl", Email: "ada@example.com", Name: "ada@example.com", Role: identity.Member, Active: true},
		{ID: "team.a_1-x", Name: "team.a_1-x", Role: identity.Member, Active: true},
	}, r.Users)
	assert.Equal(t, identity.SystemKey, r.Keys[0].Type)
	assert.Equal(t, identity.AdminRole, r.Keys[0].Role)
	assert.Equal(t, identity.Live, r.Keys[0].Environment)
	assert.Equal(t, store.KeyIDFor(store.Digest(minted.Digest())), r.Keys[0].ID)
	assert.Equal(t, identity.Member.Scopes().List(), r.Keys[0].Scopes)

	owned := records(t, declaration.Document{Keys: []declaration.Key{{Name: "owned", Digest: digest, Preset: "admin", Type: "user"}}})
	assert.Equal(t, store.BuiltinUserID, owned.Keys[0].OwnerID)
	assert.Empty(t, owned.Keys[0].Role, "its owner's counts")
	assert.Empty(t, records(t, declaration.Document{}).Keys)
}

func TestAPlanIsBoundedWherePlansAreNotKnown(t *testing.T) {
	_, err := declaration.Document{Keys: []declaration.Key{{Name: "a", Digest: digest, Preset: "admin", Plan: strings.Repeat("ä", 101)}}}.Records(nil)
	assert.EqualError(t, err, "keys::0::plan: 101 characters are too many: must be at most 100")
}

func TestRepetitionsInListsAreDropped(t *testing.T) {
	k := records(t, declaration.Document{Keys: []declaration.Key{{
		Name: "a", Digest: digest, Scopes: []string{"logs:write", "traces:write", "logs:write"}, Projects: []string{"b", "a", "b"},
		AllowedIPs: []string{"10.1.2.3/8", "::ffff:10.0.0.0/104", "192.0.2.1"}, ExpectedCountries: []string{"FR", "DE", "FR"},
	}}}).Keys[0]
	assert.Equal(t, []identity.Scope{identity.TracesWrite, identity.LogsWrite}, k.Scopes)
	assert.Equal(t, []string{"b", "a"}, k.Projects)
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}, k.AllowedIPs)
	assert.Equal(t, []string{"FR", "DE"}, k.ExpectedCountries)
	all := records(t, declaration.Document{Keys: []declaration.Key{{Name: "a", Digest: digest, Scopes: []string{"logs:write", "admin"}}}})
	assert.Equal(t, []identity.Scope{identity.Admin}, all.Keys[0].Scopes, "it implies the other")
}

// The error of a list that is far too long is one, however much of it is wrong.
func TestAListThatIsTooLongIsNotLookedInto(t *testing.T) {
	const many = 60_001
	long := make([]string, many)
	for i := range long {
		long[i] = strconv.Itoa(i)
	}
	found := faults(t, declaration.Document{Keys: []declaration.Key{{
		Name: "a", Digest: digest, Scopes: long, Projects: long, AllowedIPs: long, ExpectedCountries: long, Limits: make([]limit.Limit, many),
	}}})
	assert.Len(t, found, 5)
	for pointer, rule := range found {
		assert.Contains(t, rule, "60001 are too many", pointer)
	}
}

func TestTheDerivedIDOfAUserDependsOnTheEmailWithoutCase(t *testing.T) {
	r := records(t, declaration.Document{Users: []declaration.User{{Email: "ADA@Example.com"}}})
	assert.Equal(t, "user_wx6ilzkxkx46bubquefl", r.Users[0].ID)
	assert.Equal(t, "ADA@Example.com", r.Users[0].Email)
}

func TestAUserThatBreaksARuleIsToldWhereAndHow(t *testing.T) {
	for name, tt := range map[string]struct {
		user          declaration.User
		pointer, rule string
	}{
		"nothing":         {declaration.User{}, "/users/0/id", "give the user one of them"},
		"bad id":          {declaration.User{ID: "a b"}, "/users/0/id", `"a b" is not a user id`},
		"long id":         {declaration.User{ID: strings.Repeat("a", 101)}, "/users/0/id", "1 to 100"},
		"built-in":        {declaration.User{ID: "admin"}, "/users/0/id", "cannot be declared"},
		"bad email":       {declaration.User{Email: "ada"}, "/users/0/email", `"ada" is no email address`},
		"email with name": {declaration.User{Email: "Ada <ada@example.com>"}, "/users/0/email", "without a name"},
		"long email":      {declaration.User{Email: strings.Repeat("a", 250) + "@b.cd"}, "/users/0/email", "no email address"},
		"role":            {declaration.User{ID: "a", Role: "boss"}, "/users/0/role", `unknown role "boss"`},
		"long name":       {declaration.User{ID: "a", Name: strings.Repeat("ä", 101)}, "/users/0/name", "101 characters are too many"},
		"blank name":      {declaration.User{ID: "a", Name: "  "}, "/users/0/name", "must not be blank"},
		"control":         {declaration.User{ID: "a", Name: "a\x00b"}, "/users/0/name", "control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			found := faults(t, declaration.Document{Users: []declaration.User{tt.user}})
			assert.Contains(t, found[tt.pointer], tt.rule)
		})
	}
}

func TestAKeyThatBreaksARuleIsToldWhereAndHow(t *testing.T) {
	good := limit.Limit{On: limit.Logs, Unit: limit.Bytes, Max: 5, Window: limit.Window(time.Hour)}
	for name, tt := range map[string]struct {
		change        func(*declaration.Key)
		pointer, rule string
	}{
		"name":           {func(k *declaration.Key) { k.Name = " " }, "/keys/0/name", "must not be empty"},
		"long name":      {func(k *declaration.Key) { k.Name = strings.Repeat("ä", 101) }, "/keys/0/name", "at most 100"},
		"line break":     {func(k *declaration.Key) { k.Name = "a\nb" }, "/keys/0/name", "line breaks"},
		"description":    {func(k *declaration.Key) { k.Description = strings.Repeat("ä", 1001) }, "/keys/0/description", "at most 1000"},
		"bell":           {func(k *declaration.Key) { k.Description = "\a" }, "/keys/0/description", "control characters"},
		"digest":         {func(k *declaration.Key) { k.Digest = minted.Reveal() }, "/keys/0/digest", "not the key itself"},
		"hint":           {func(k *declaration.Key) { k.Hint = minted.Reveal() }, "/keys/0/hint", "is the key itself"},
		"long hint":      {func(k *declaration.Key) { k.Hint = strings.Repeat("x", 101) }, "/keys/0/hint", "at most 100"},
		"id":             {func(k *declaration.Key) { k.ID = "mine" }, "/keys/0/id", `"mine" is not a key id`},
		"type":           {func(k *declaration.Key) { k.Type = "robot" }, "/keys/0/type", "must be user or system"},
		"environment":    {func(k *declaration.Key) { k.Environment = "prod" }, "/keys/0/environment", "must be live or test"},
		"role":           {func(k *declaration.Key) { k.Role = "boss" }, "/keys/0/role", "unknown role"},
		"role of a user": {func(k *declaration.Key) { k.Type, k.Role = "user", "viewer" }, "/keys/0/role", "its owner's role counts"},
		"owner":          {func(k *declaration.Key) { k.OwnerID = "ada" }, "/keys/0/ownerId", "system keys have no owner"},
		"no scope":       {func(k *declaration.Key) { k.Preset = "" }, "/keys/0/scopes", "either scopes or preset"},
		"scope":          {func(k *declaration.Key) { k.Preset, k.Scopes = "", []string{"admin", "x"} }, "/keys/0/scopes/1", `"x"`},
		"scopes":         {func(k *declaration.Key) { k.Preset, k.Scopes = "", make([]string, 101) }, "/keys/0/scopes", "at most 100"},
		"preset":         {func(k *declaration.Key) { k.Preset = "all" }, "/keys/0/preset", `"all"`},
		"projects":       {func(k *declaration.Key) { k.Projects = make([]string, 101) }, "/keys/0/projects", "at most 100"},
		"project":        {func(k *declaration.Key) { k.Projects = []string{"a", ""} }, "/keys/0/projects/1", "must not be empty"},
		"addresses":      {func(k *declaration.Key) { k.AllowedIPs = make([]string, 101) }, "/keys/0/allowedIps", "at most 100"},
		"address":        {func(k *declaration.Key) { k.AllowedIPs = []string{"300.1.1.1"} }, "/keys/0/allowedIps", `"300.1.1.1" is no address range: must be a CIDR`},
		"mixed address":  {func(k *declaration.Key) { k.AllowedIPs = []string{"::ffff:10.0.0.0/90"} }, "/keys/0/allowedIps", "must not mix IPv4 and IPv6"},
		"zone":           {func(k *declaration.Key) { k.AllowedIPs = []string{"fe80::1%eth0"} }, "/keys/0/allowedIps", "no address range"},
		"blank address":  {func(k *declaration.Key) { k.AllowedIPs = []string{" 10.0.0.1"} }, "/keys/0/allowedIps", "no address range"},
		"country":        {func(k *declaration.Key) { k.ExpectedCountries = []string{"DE", "de"} }, "/keys/0/expectedCountries/1", `"de" is not the code of a country`},
		"countries":      {func(k *declaration.Key) { k.ExpectedCountries = slices.Repeat([]string{"DE"}, 301) }, "/keys/0/expectedCountries", "at most 300"},
		"long owner":     {func(k *declaration.Key) { k.Type, k.OwnerID = "user", strings.Repeat("a", 101) }, "/keys/0/ownerId", "at most 100"},
		"plan":           {func(k *declaration.Key) { k.Plan = "gold" }, "/keys/0/plan", "must be one of enterprise, free, pro"},
		"limit": {func(k *declaration.Key) {
			k.Limits = []limit.Limit{good, {On: limit.Logs, Unit: limit.Items, Window: good.Window}}
		}, "/keys/0/limits/1/max", "0 is out of range"},
		"same limit": {func(k *declaration.Key) { k.Limits = []limit.Limit{good, good} }, "/keys/0/limits/1", "keep one of them"},
		"limits":     {func(k *declaration.Key) { k.Limits = make([]limit.Limit, 17) }, "/keys/0/limits", "at most 16"},
		"expiry":     {func(k *declaration.Key) { k.ExpiresAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "/keys/0", "year 10000"},
	} {
		t.Run(name, func(t *testing.T) {
			key := declaration.Key{Name: "a", Digest: digest, Preset: "read-write"}
			tt.change(&key)
			found := faults(t, declaration.Document{Keys: []declaration.Key{key}})
			assert.Contains(t, found[tt.pointer], tt.rule)
		})
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	found := faults(t, declaration.Document{
		Users: []declaration.User{{ID: "ok"}, {}},
		Keys:  []declaration.Key{{}, {Name: "a", Digest: digest, Preset: "admin", Plan: "gold"}},
	})
	for _, pointer := range []string{"/users/1/id", "/keys/0/name", "/keys/0/digest", "/keys/0/scopes", "/keys/1/plan"} {
		assert.Contains(t, found, pointer)
	}
	assert.Len(t, found, 5)
}

func TestRecordsAreDeclaredOnce(t *testing.T) {
	key := declaration.Key{Name: "a", Digest: digest, Preset: "admin"}
	other := key
	other.ID = "key_aaaaaaaaaaaaaaaaaaaa"
	_, err := declaration.Document{
		Users: []declaration.User{{ID: "a", Email: "ada@example.com"}, {ID: "a"}, {ID: "b", Email: "ADA@example.com"}},
		Keys:  []declaration.Key{key, other},
	}.Records(plans(t))
	assert.EqualError(t, err, "users::1: a is already that of users::0: declare each user once\n"+
		"users::2: ada@example.com is already that of users::0: declare each user once\n"+
		"keys::1: "+digest[:len("sha256:")+8]+"… is already that of keys::0: declare each key once")
}

func TestErrorsAreFoundHoweverTheyAreWrapped(t *testing.T) {
	_, err := declaration.Document{Users: []declaration.User{{}}, Keys: []declaration.Key{{}}}.Records(plans(t))
	assert.Len(t, declaration.Errors(fmt.Errorf("apply: %w", err)), 4)
	assert.Empty(t, declaration.Errors(assert.AnError))
	assert.Empty(t, declaration.Errors(nil))
	assert.Equal(t, "/keys/0/a~1b~0", (&declaration.Error{Path: []string{"keys", "0", "a/b~"}}).Pointer())
}
