package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
)

// checkAlive shows that the collector still works.
func checkAlive(t *testing.T, c *collector, k key) {
	t.Helper()
	for _, s := range senders {
		assert.Equal(t, codes.OK, s.send(t, c, traces, traces.request(), k.bearer()).code, s.name)
	}
}

func TestHugeKeysAreRefused(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k := c.create(t)
	for size, want := range map[int]int{
		64 << 10:  http.StatusUnauthorized,
		512 << 10: http.StatusUnauthorized,
		2 << 20:   http.StatusRequestHeaderFieldsTooLarge, // net/http's own
	} {
		for _, header := range []string{"Authorization", "Api_key", "X-Api-Key"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.httpAddress+traces.path, http.NoBody)
			require.NoError(t, err)
			r.Header.Set("Content-Type", protobufType)
			r.Header.Set(header, "Bearer px_live_"+strings.Repeat("A", size))
			resp, err := http.DefaultTransport.RoundTrip(r)
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, want, resp.StatusCode, "%d bytes of %s", size, header)
		}
		got := sendGRPC(t, c, traces, traces.request(), headers{"authorization": "Bearer px_live_" + strings.Repeat("A", size)})
		assert.Equal(t, codes.Unauthenticated, got.code, "%d bytes over grpc: %s", size, got.message)
		assert.Less(t, len(got.message), 1000)
	}
	checkAlive(t, c, k)
}

// odd are values that no exporter sends.
var odd = map[string]string{
	"not UTF-8":      "Bearer px_live_\xff\xfe\xfd",
	"high bytes":     "\x80\x81\x82",
	"UTF-8":          "Bearer px_live_ключ",
	"replacement":    "Bearer \uFFFD",
	"a scheme alone": "Bearer",
	"spaces":         "Bearer   \t ",
	"a list":         "Bearer a, Bearer b",
	"quotes":         `Bearer "px_live_"`,
	"format verbs":   "Bearer %s%n%d",
	"markup":         "Bearer <script>alert(1)</script>",
}

func TestOddKeysAreRefusedOverGRPC(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k := c.create(t)
	// grpc-go sends no such values, so this speaks HTTP/2 itself.
	var overTCP http.Protocols
	overTCP.SetUnencryptedHTTP2(true)
	plain := &http.Transport{Protocols: &overTCP}
	t.Cleanup(plain.CloseIdleConnections)
	for name, value := range odd {
		for _, header := range []string{"authorization", "x-api-key", "x-api-key-bin"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.grpcAddress+traces.method, strings.NewReader("\x00\x00\x00\x00\x00"))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/grpc")
			r.Header.Set("Te", "trailers")
			r.Header[header] = []string{value}
			resp, err := plain.RoundTrip(r)
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, resp.Body) // trailers come after it
			resp.Body.Close()
			got := resp.Trailer.Get("Grpc-Status") + resp.Header.Get("Grpc-Status")
			if strings.HasSuffix(header, "-bin") {
				assert.Contains(t, []string{"16", "13"}, got, "%s in %s", name, header) // what is not base64 is a fault of the protocol
				continue
			}
			assert.Equal(t, "16", got, "%s in %s", name, header)
		}
	}
	checkAlive(t, c, k)
}

func TestOddKeysAreRefusedOverHTTP(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k := c.create(t)
	for name, value := range odd {
		for _, header := range []string{"Authorization", "x-api-key", "API_KEY"} {
			assert.Equal(t, http.StatusUnauthorized, rawHTTP(t, c, header+": "+value), "%s in %s", name, header)
		}
	}
	for name, lines := range map[string]string{
		"NUL":                "x-api-key: a\x00b",
		"a control":          "x-api-key: a\x07b",
		"a bare CR":          "x-api-key: a\rb",
		"no colon":           "x-api-key",
		"a space in a name":  "x api key: a",
		"no name":            ": a",
		"a folded line":      "x-api-key: a\r\n b",
		"a smuggled request": "Content-Length: 5\r\nContent-Length: 6",
	} {
		got := rawHTTP(t, c, lines)
		assert.Contains(t, []int{http.StatusBadRequest, http.StatusUnauthorized}, got, name)
	}
	for name, lines := range map[string]string{
		"keys in one header, twice":  "x-api-key: " + k.secret + "\r\nx-api-key: " + c.create(t).secret,
		"keys under two spellings":   "X-API-KEY: " + k.secret + "\r\nApi_Key: " + c.create(t).secret,
		"keys in one header, listed": "x-api-key: " + k.secret + "," + k.secret,
	} {
		assert.Equal(t, http.StatusUnauthorized, rawHTTP(t, c, lines), name)
	}
	assert.Equal(t, http.StatusOK, rawHTTP(t, c, "x-api-key: "+k.secret+"\r\nX-Api-Key:  "+k.secret+" "), "repeating a key is fine")
	checkAlive(t, c, k)
}

// rawHTTP sends an empty request with the header lines as they are.
func rawHTTP(t *testing.T, c *collector, lines string) int {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", c.httpAddress)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nConnection: close\r\n"+lines+"\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	c.vault.saw("the answer to raw HTTP", string(body))
	return resp.StatusCode
}

func TestBodiesThatAreNoOTLPAreRefused(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k := c.create(t)
	for name, tt := range map[string]struct {
		contentType, body string
		status            int
	}{
		"not protobuf":       {protobufType, "\xff\xff\xff", http.StatusBadRequest},
		"not JSON":           {jsonType, "{", http.StatusBadRequest},
		"JSON as protobuf":   {protobufType, `{"resourceSpans": []}`, http.StatusBadRequest},
		"another type":       {"text/plain", "hello", http.StatusUnsupportedMediaType},
		"nothing, as should": {protobufType, "", http.StatusOK},
	} {
		for _, h := range []headers{k.bearer(), nil} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.httpAddress+traces.path, strings.NewReader(tt.body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", tt.contentType)
			want := http.StatusUnauthorized
			for header, value := range h {
				r.Header.Set(header, value)
				want = tt.status
			}
			assert.Equal(t, want, doHTTP(t, c.admin.http, r).status, name)
		}
	}
	checkAlive(t, c, k)
}

func TestTheAdminAPIRefusesBadBodies(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for name, tt := range map[string]struct {
		contentType, body string
		status            int
		code              string
	}{
		"nothing":          {jsonType, "", http.StatusBadRequest, "malformed_json"},
		"not JSON":         {jsonType, "name=checkout", http.StatusBadRequest, "malformed_json"},
		"not UTF-8":        {jsonType, "{\"name\": \"\xff\"}", http.StatusBadRequest, "malformed_json"},
		"a field twice":    {jsonType, `{"name": "a", "name": "b", "scopes": ["traces:write"]}`, http.StatusBadRequest, "malformed_json"},
		"an unknown field": {jsonType, `{"name": "a", "scopes": ["traces:write"], "admin": true}`, http.StatusBadRequest, "invalid_request"},
		"a wrong type":     {jsonType, `{"name": 1, "scopes": ["traces:write"]}`, http.StatusBadRequest, "invalid_request"},
		"an unknown scope": {jsonType, `{"name": "a", "scopes": ["traces:fly"]}`, http.StatusBadRequest, "invalid_request"},
		"no scope":         {jsonType, `{"name": "a"}`, http.StatusBadRequest, "invalid_request"},
		"a bad address":    {jsonType, `{"name": "a", "scopes": ["traces:write"], "allowedIps": ["everywhere"]}`, http.StatusBadRequest, "invalid_request"},
		"the past":         {jsonType, `{"name": "a", "scopes": ["traces:write"], "expiresAt": "2001-01-01T00:00:00Z"}`, http.StatusBadRequest, "invalid_request"},
		"a form":           {"application/x-www-form-urlencoded", "name=a", http.StatusUnsupportedMediaType, "unsupported_media_type"},
		"too much":         {jsonType, `{"name": "` + strings.Repeat("a", 2<<20) + `"}`, http.StatusRequestEntityTooLarge, "body_too_large"},
		"too deep":         {jsonType, strings.Repeat("[", 100_000), http.StatusBadRequest, "malformed_json"},
		"a key in a field": {jsonType, `{"name": "` + c.secret + `", "scopes": ["traces:write"]}`, http.StatusBadRequest, "secret_in_request"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.admin.address+"/api/v1/api-keys", strings.NewReader(tt.body))
		require.NoError(t, err)
		require.NoError(t, c.authorize(t.Context(), r))
		r.Header.Set("Content-Type", tt.contentType)
		got := doHTTP(t, c.admin.http, r)
		assert.Equal(t, tt.status, got.status, "%s: %s", name, got.body)
		assert.Equal(t, "application/problem+json", got.header.Get("Content-Type"), name)
		assert.Contains(t, got.body, `"code":"`+tt.code+`"`, name)
	}
	assert.Len(t, c.statuses(t), 1, "nothing was made")
}
