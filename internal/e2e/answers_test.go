package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
)

// refusal is a row of the table of answers.
type refusal struct {
	headers headers
	http    int
	code    codes.Code
	reason  string
}

func unauthenticated(reason string, h headers) refusal {
	return refusal{h, http.StatusUnauthorized, codes.Unauthenticated, reason}
}

func denied(reason string, k key) refusal {
	return refusal{k.bearer(), http.StatusForbidden, codes.PermissionDenied, reason}
}

func bearer(secret string) headers { return headers{"authorization": "Bearer " + secret} }

func withBadChecksum(secret string) string {
	last := secret[len(secret)-1]
	if last++; last > '9' {
		last = '0'
	}
	return secret[:len(secret)-1] + string(last)
}

func refusals(t *testing.T, c *collector) map[string]refusal {
	t.Helper()
	good, other := c.create(t), c.create(t)
	revoked := c.create(t)
	c.revoke(t, revoked.id)
	return map[string]refusal{
		"no key":               unauthenticated("no_credential", nil),
		"an empty key":         unauthenticated("no_credential", headers{"x-api-key": ""}),
		"malformed":            unauthenticated("malformed_credential", bearer(c.vault.keep("px_live_far-too-short"))),
		"a bad checksum":       unauthenticated("malformed_credential", bearer(c.vault.keep(withBadChecksum(good.secret)))),
		"of another prefix":    unauthenticated("malformed_credential", bearer(c.vault.keep(credential.Format{Prefix: "zz"}.Mint(credential.Live).Reveal()))),
		"not a bearer":         unauthenticated("malformed_credential", headers{"authorization": "Basic Zm9vOmJhcmJhcmJheg=="}),
		"unknown":              unauthenticated("unknown_key", bearer(c.vault.mint(credential.Live))),
		"unknown system key":   unauthenticated("unknown_key", headers{"api_key": c.vault.mint(credential.Sys)}),
		"revoked":              unauthenticated("revoked_key", revoked.bearer()),
		"expired":              unauthenticated("expired_key", expiredKey(t, c).bearer()),
		"two different keys":   unauthenticated("conflicting_credentials", headers{"authorization": "Bearer " + good.secret, "x-api-key": other.secret}),
		"a wrong scope":        denied("missing_scope", c.create(t, scopes("traces:read", "datasets:write"))),
		"an address elsewhere": denied("address_not_allowed", c.create(t, fromAddresses("203.0.113.0/24"))),
		"every project":        denied("project_not_allowed", c.create(t, projects("other"))),
	}
}

// expiredKey lives for as long as the API takes to make it.
func expiredKey(t *testing.T, c *collector) key {
	t.Helper()
	const life = 3 * time.Second // the API refuses what is past when it arrives
	k := c.create(t, expiring(time.Now().Add(life)))
	require.Eventually(t, func() bool {
		return sendGRPC(t, c, traces, traceRequest("warm-up"), k.bearer()).code == codes.Unauthenticated
	}, patience, 100*time.Millisecond)
	return k
}

func TestEveryRefusalHasItsAnswerAtEveryDoor(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			rows := refusals(t, c)
			passed := c.sink.items()
			for _, s := range senders {
				for name, want := range rows {
					for _, sig := range signals {
						t.Run(s.name+"/"+name+"/"+sig.name, func(t *testing.T) {
							checkRefusal(t, s.send(t, c, sig, sig.request(), want.headers), want, d)
						})
					}
				}
			}
			assert.Equal(t, passed, c.sink.items(), "nothing passes")
		})
	}
}

func checkRefusal(t *testing.T, got answer, want refusal, d doors) {
	t.Helper()
	assert.Equal(t, want.code, got.code)
	assert.NotEmpty(t, got.message)
	assert.NotContains(t, got.message, "rpc error")
	assert.Zero(t, got.retry, "retrying cannot help")
	if got.http != 0 {
		assert.Equal(t, want.http, got.http)
		assert.Empty(t, got.header.Get("Retry-After"))
	}
	if got.http == http.StatusUnauthorized && d != middlewaresOnly {
		return // the collector's own handler answers for auth:, and keeps the text alone
	}
	assert.Equal(t, want.reason, got.reason)
	if got.http == http.StatusUnauthorized {
		assert.Equal(t, `Bearer realm="otlpgate"`, got.header.Get("WWW-Authenticate"))
	}
}

func TestAGoodKeyOfAnyKindPassesEveryDoorInEveryHeader(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			live := c.create(t, named("checkout"))
			test := c.create(t, inEnvironment(client.EnvironmentTest))
			system := c.create(t, ofType(client.KeyTypeSystem))
			assert.True(t, strings.HasPrefix(live.secret, "px_live_"))
			assert.True(t, strings.HasPrefix(test.secret, "px_test_"))
			assert.True(t, strings.HasPrefix(system.secret, "px_sys_"))
			passed := 0
			for _, h := range []headers{
				live.bearer(), test.bearer(), system.bearer(), bearer(c.secret),
				{"authorization": "bEaReR  " + live.secret},
				{"api_key": live.secret},
				{"x-api-key": live.secret},
				{"X-API-KEY": live.secret},
				{"x-api-key": live.secret, "authorization": "Bearer " + live.secret},
			} {
				for _, s := range senders {
					for _, sig := range signals {
						a := s.send(t, c, sig, sig.request(), h)
						require.Equal(t, codes.OK, a.code, "%s: %s", s.name, a.message)
						passed++
					}
				}
			}
			assert.Equal(t, passed, c.sink.items())
			assert.Equal(t, map[string]any{"apikey.id": live.id, "apikey.name": "checkout"}, c.sink.spans()[0].Attributes().AsRaw())
		})
	}
}

func TestEachSignalNeedsItsOwnScope(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for _, granted := range signals {
		k := c.create(t, scopes(client.Scope(granted.scope())))
		for _, sent := range signals {
			for _, s := range senders {
				got := s.send(t, c, sent, sent.request(), k.bearer())
				if sent.name == granted.name {
					assert.Equal(t, codes.OK, got.code, got.message)
					continue
				}
				assert.Equal(t, "missing_scope", got.reason, "%s with %s over %s", sent.name, granted.scope(), s.name)
				assert.Contains(t, got.message, sent.scope(), "it says which scope is missing")
			}
		}
	}
}

func TestPartlyRefusedProjectsAreAPartialSuccess(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			k := c.create(t, projects("mine"))
			passed := 0
			for _, s := range senders {
				for _, sig := range signals {
					got := s.send(t, c, sig, sig.request("mine", "theirs", ""), k.bearer())
					require.Equal(t, codes.OK, got.code, got.message)
					passed++
					assert.Equal(t, passed, c.sink.items(), "what is allowed passes")
					if d == authOnly {
						continue // nobody is there to say it
					}
					assert.EqualValues(t, 2, got.rejected)
					assert.Contains(t, got.why, `"theirs"`)
				}
			}
		})
	}
}

func TestAReceiverWithoutTheGateIsRefusedByTheProcessor(t *testing.T) {
	t.Parallel()
	c := start(t, options{open: true})
	k := c.create(t)
	for _, s := range senders {
		got := s.send(t, c, traces, traces.request(), k.bearer())
		assert.Equal(t, codes.Unauthenticated, got.code)
		assert.Contains(t, got.message, "authenticator: apikeyauth")
	}
	assert.Zero(t, c.sink.items())
}

func TestGuessingIsSlowedDownWithoutHarmingKeysInUse(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	held := c.create(t)
	for _, s := range senders {
		require.Equal(t, codes.OK, s.send(t, c, traces, traces.request(), held.bearer()).code)
	}
	var last answer
	for range 1000 {
		if last = sendProtobuf(t, c, traces, traces.request(), bearer(c.vault.mint(credential.Live))); last.http != http.StatusUnauthorized {
			break
		}
	}
	assert.Equal(t, http.StatusTooManyRequests, last.http)
	assert.Equal(t, "too_many_failures", last.reason)
	assert.NotEmpty(t, last.header.Get("Retry-After"))
	overGRPC := sendGRPC(t, c, traces, traces.request(), bearer(c.vault.mint(credential.Live)))
	assert.Equal(t, codes.ResourceExhausted, overGRPC.code)
	assert.GreaterOrEqual(t, overGRPC.retry, time.Second)
	for _, s := range senders {
		assert.Equal(t, codes.OK, s.send(t, c, traces, traces.request(), held.bearer()).code)
	}
}
