package archtest_test

// A rule says which packages of this module the non-test code of a package may
// import. Everything outside of the module is free, but for confined.
//
// Paths are relative to the module. One that ends in "/..." stands for the
// package and all below it; the longest path that fits a package is its rule.
type rule struct {
	pkg string
	may []string
}

// rules hold every package of this module. They give the way of a request one
// direction: credential, keyring, identity, limit, each unaware of those that
// call it. No rule lets extension, processor or cmd be imported: only tests of
// the whole do.
var rules = []rule{
	// Values and decisions.
	{pkg: "internal/credential"},
	{pkg: "internal/clientip"},
	{pkg: "internal/throttle"},
	{pkg: "internal/limit"},
	{pkg: "internal/limit/limittest", may: []string{"internal/limit"}},
	{pkg: "internal/identity", may: []string{"internal/limit"}},
	{pkg: "internal/session", may: []string{"internal/credential"}},
	{pkg: "internal/snippet", may: []string{"internal/identity"}},

	// Records. A backend sees the contract and nothing that uses it.
	{pkg: "internal/store", may: []string{"internal/identity", "internal/limit"}},
	{pkg: "internal/store/cursor", may: []string{"internal/store"}},
	{pkg: "internal/badgerdb"},
	{pkg: "internal/store/badgerstore", may: []string{"internal/badgerdb", "internal/store", "internal/store/cursor", "internal/identity", "internal/limit"}},
	{pkg: "internal/store/storetest", may: []string{"internal/store", "internal/identity", "internal/limit"}},

	// What may be lost: an ordered map, and its backend.
	{pkg: "internal/kv"},
	{pkg: "internal/kv/packed"},
	{pkg: "internal/kv/badgerkv", may: []string{"internal/badgerdb", "internal/kv"}},
	{pkg: "internal/kv/kvtest", may: []string{"internal/kv"}},

	// What became of requests, and what is made of it.
	{pkg: "internal/access", may: []string{"internal/identity"}},
	{pkg: "internal/geo"},
	{pkg: "internal/geo/geotest"},
	{pkg: "internal/accesslog", may: []string{"internal/access", "internal/identity", "internal/kv", "internal/kv/packed", "internal/store", "internal/store/cursor"}},
	{pkg: "internal/insight", may: []string{"internal/access", "internal/accesslog", "internal/kv", "internal/store", "internal/usage"}},
	{pkg: "internal/alert/...", may: []string{
		"internal/access", "internal/alert/...", "internal/identity", "internal/kv", "internal/store", "internal/store/cursor",
	}},

	// What is done with them.
	{pkg: "internal/keyring", may: []string{"internal/credential", "internal/identity", "internal/store", "internal/limit"}},
	{pkg: "internal/usage", may: []string{"internal/access", "internal/identity", "internal/kv", "internal/kv/packed", "internal/store"}},
	{pkg: "internal/catalog", may: []string{"internal/identity", "internal/store", "internal/store/cursor"}},
	{pkg: "internal/audit", may: []string{"internal/clientip", "internal/identity", "internal/store", "internal/limit"}},
	{pkg: "internal/declaration", may: []string{
		"internal/credential", "internal/clientip", "internal/identity", "internal/store", "internal/limit",
	}},
	{pkg: "internal/provision", may: []string{
		"internal/audit", "internal/credential", "internal/declaration", "internal/identity", "internal/store", "internal/limit",
	}},
	{pkg: "internal/gate", may: []string{
		"internal/credential", "internal/clientip", "internal/identity",
		"internal/keyring", "internal/throttle", "internal/limit",
	}},

	// The admin API.
	{pkg: "internal/admin", may: []string{
		"internal/access", "internal/accesslog", "internal/admin/...", "internal/alert", "internal/audit", "internal/catalog", "internal/clientip", "internal/credential", "internal/declaration",
		"internal/identity", "internal/keyring", "internal/limit", "internal/provision", "internal/session", "internal/store", "internal/throttle", "internal/usage",
	}},
	// The pages see the API as any client does, and of the rest values alone.
	{pkg: "internal/admin/web", may: []string{
		"internal/access", "internal/admin/api", "internal/admin/client", "internal/admin/web/chart", "internal/credential", "internal/identity",
		"internal/limit", "internal/session", "internal/snippet",
	}},
	{pkg: "internal/admin/web/chart"},
	{pkg: "internal/admin/api", may: []string{"internal/catalog", "internal/declaration", "internal/identity", "internal/limit", "internal/store"}},
	{pkg: "internal/admin/client"},

	// The components. Only the extension knows which backends there are.
	{pkg: "extension/apikeyauthextension", may: []string{"internal/...", "extension/apikeyauthextension/internal/..."}},
	{pkg: "extension/apikeyauthextension/internal/...", may: []string{"extension/apikeyauthextension/internal/..."}},
	{pkg: "processor/apikeyprocessor", may: []string{
		"internal/identity", "internal/limit", "processor/apikeyprocessor/internal/...",
	}},
	{pkg: "processor/apikeyprocessor/internal/...", may: []string{"processor/apikeyprocessor/internal/..."}},

	// The command line, a client of the admin API like any other. It offers the
	// scopes that identity knows, reads limits and declarations as the collector
	// does, recomputes the hashes of the audit log, and restores a backup where no
	// API runs, which takes the backend itself.
	{pkg: "cmd/gatectl/...", may: []string{
		"internal/admin/api", "internal/admin/client", "internal/credential", "internal/identity",
		"internal/limit", "internal/snippet", "internal/store", "internal/store/badgerstore", "internal/declaration", "cmd/gatectl/...",
	}},

	// Directories to show and to measure: what the collector does, done beforehand,
	// and so with its backends.
	{pkg: "internal/demo", may: []string{
		"internal/access", "internal/accesslog", "internal/alert", "internal/audit", "internal/credential", "internal/declaration", "internal/identity",
		"internal/insight", "internal/kv/badgerkv", "internal/limit", "internal/provision", "internal/store", "internal/store/badgerstore", "internal/usage",
	}},
	{pkg: "internal/demo/cmd/seed", may: []string{"internal/demo"}},

	// Tests of the whole, and what only tests use.
	{pkg: "internal/browser"},
	{pkg: "internal/demo/cmd/screenshots", may: []string{"internal/browser"}},
	{pkg: "internal/e2e"},
	{pkg: "internal/scripttest"},
	{pkg: "internal/archtest"},
}

// confined are dependencies that only some packages may import, so that they
// can be replaced there.
var confined = []rule{
	{pkg: "github.com/dgraph-io/badger/...", may: []string{"internal/badgerdb", "internal/store/badgerstore", "internal/kv/badgerkv"}},
	{pkg: "github.com/dgraph-io/ristretto/...", may: []string{"internal/keyring"}},
}
