package credential

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func defaultHeaders(t testing.TB) Headers {
	t.Helper()
	h, err := NewHeaders(nil)
	require.NoError(t, err)
	return h
}

func TestFindTakesACredentialFromAnyConfiguredHeader(t *testing.T) {
	h := defaultHeaders(t)
	for name, sources := range map[string]map[string][]string{
		"HTTP bearer":           {"Authorization": {"Bearer k1"}},
		"gRPC bearer":           {"authorization": {"Bearer k1"}},
		"lower-case scheme":     {"Authorization": {"bearer k1"}},
		"upper-case scheme":     {"Authorization": {"BEARER k1"}},
		"spaces everywhere":     {"Authorization": {"  Bearer \t  k1  "}},
		"tab after scheme":      {"Authorization": {"Bearer\tk1"}},
		"HTTP api_key":          {"Api_key": {"k1"}},
		"gRPC api_key":          {"api_key": {"k1"}},
		"HTTP x-api-key":        {"X-Api-Key": {"k1"}},
		"gRPC x-api-key":        {"x-api-key": {"k1"}},
		"bare with spaces":      {"X-Api-Key": {" k1\t"}},
		"bearer in x-api-key":   {"X-Api-Key": {"Bearer k1"}},
		"any case of the name":  {"X-API-KEY": {"k1"}},
		"mixed case":            {"aUTHORIZATION": {"Bearer k1"}},
		"repeated value":        {"X-Api-Key": {"k1", "k1"}},
		"repeated header":       {"X-Api-Key": {"k1"}, "Authorization": {"Bearer k1"}, "Api_key": {"Bearer k1"}},
		"two spellings":         {"X-Api-Key": {"k1"}, "x-api-key": {"k1"}},
		"beside basic":          {"Authorization": {"Basic dTpw"}, "X-Api-Key": {"k1"}},
		"beside bare":           {"Authorization": {"k2"}, "X-Api-Key": {"k1"}},
		"beside empty":          {"Authorization": {""}, "X-Api-Key": {"", " ", "k1"}},
		"beside no values":      {"Authorization": {}, "Api_key": nil, "X-Api-Key": {"k1"}},
		"basic then bearer":     {"Authorization": {"Basic dTpw", "Bearer k1"}},
		"among other headers":   {"Accept": {"*/*"}, "Cookie": {"k2"}, "X-Api-Key": {"k1"}, "X-Api-Keys": {"k2"}},
		"unconfigured look-out": {"Proxy-Authorization": {"Bearer k2"}, "X-Api-Key": {"k1"}},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := h.Find(sources)
			require.NoError(t, err)
			assert.Equal(t, "k1", key)
		})
	}
}

func TestFindRefusesTwoDifferentCredentials(t *testing.T) {
	h := defaultHeaders(t)
	for name, sources := range map[string]map[string][]string{
		"two values":               {"X-Api-Key": {"k1", "k2"}},
		"two headers":              {"X-Api-Key": {"k1"}, "Authorization": {"Bearer k2"}},
		"two spellings":            {"X-Api-Key": {"k1"}, "x-api-key": {"k2"}},
		"a third spelling":         {"X-Api-Key": {"k1"}, "X-API-KEY": {"k2"}},
		"odd spellings alone":      {"X-API-KEY": {"k1"}, "aPI_kEY": {"k2"}},
		"third of many":            {"X-Api-Key": {"k1", "k1", "k2", "k1"}},
		"different case":           {"X-Api-Key": {"k1", "K1"}},
		"conflict then same again": {"X-Api-Key": {"k1", "k2", "k2"}},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := h.Find(sources)
			require.ErrorIs(t, err, ErrConflict)
			assert.Empty(t, key)
		})
	}
}

func TestFindSaysHowToSendAMissingCredential(t *testing.T) {
	h := defaultHeaders(t)
	for name, sources := range map[string]map[string][]string{
		"nothing":       nil,
		"others only":   {"Accept": {"*/*"}, "Proxy-Authorization": {"Bearer k"}},
		"empty values":  {"Authorization": {""}, "X-Api-Key": {" \t"}},
		"no values":     {"Authorization": nil},
		"kelvin sign":   {"X-Api-\u212aey": {"k1"}},
		"longer name":   {"X-Api-Key-": {"k1"}},
		"name unlisted": {"X-Key": {"k1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.Find(sources)
			require.ErrorIs(t, err, ErrMissing)
			assert.EqualError(t, err, "no API key: send `authorization: Bearer <key>` or `api_key: <key>` or `x-api-key: <key>`")
		})
	}
}

func TestFindRefusesAnAuthorizationOfAnotherScheme(t *testing.T) {
	h := defaultHeaders(t)
	for _, value := range []string{"Basic dTpw", goldenKey, "Bearer", "Bearer ", "Bearer" + goldenKey, "Token " + goldenKey, "Digest a=b"} {
		key, err := h.Find(map[string][]string{"Authorization": {value}})
		require.ErrorIs(t, err, ErrScheme, "%q", value)
		require.ErrorIs(t, err, ErrMalformed)
		assert.EqualError(t, err, "malformed API key: the authorization header must read `Bearer <key>`")
		assert.Empty(t, key)
	}
}

func TestFindIgnoresAuthorizationWhereItIsNotConfigured(t *testing.T) {
	h, err := NewHeaders([]string{"X-Key"})
	require.NoError(t, err)
	_, err = h.Find(map[string][]string{"Authorization": {"Bearer k1"}})
	require.EqualError(t, err, "no API key: send `x-key: <key>`")
	key, err := h.Find(map[string][]string{"Authorization": {"Bearer k1"}, "X-Key": {"k2"}})
	require.NoError(t, err)
	assert.Equal(t, "k2", key)
}

func TestZeroHeadersFindNothing(t *testing.T) {
	_, err := Headers{}.Find(map[string][]string{"Authorization": {"Bearer k1"}})
	assert.ErrorIs(t, err, ErrMissing)
}

func TestFindBoundsItsWork(t *testing.T) {
	h := defaultHeaders(t)
	huge := map[string][]string{"X-Api-Key": {"k1"}}
	for i := range maxHeaders {
		huge[fmt.Sprintf("X-%d", i)] = nil
	}
	_, err := h.Find(huge)
	require.ErrorIs(t, err, ErrMalformed)
	delete(huge, "X-0")
	key, err := h.Find(huge)
	require.NoError(t, err)
	assert.Equal(t, "k1", key)

	values := strings.Split(strings.Repeat("k1,", maxValues)+"k1", ",")
	_, err = h.Find(map[string][]string{"X-Api-Key": values})
	require.ErrorIs(t, err, ErrMalformed)
	_, err = h.Find(map[string][]string{"X-Api-Key": values[1:]})
	require.NoError(t, err)

	key, err = h.Find(map[string][]string{"Authorization": {"Bearer " + strings.Repeat("a", 1<<20)}})
	require.NoError(t, err)
	assert.Len(t, key, 1<<20)
}

func TestFindDoesNotDependOnTheOrderOfHeaders(t *testing.T) {
	h := defaultHeaders(t)
	for range 100 {
		_, err := h.Find(map[string][]string{"X-Api-Key": {"k1"}, "Api_key": {"k2"}, "Authorization": {"Basic x"}})
		require.ErrorIs(t, err, ErrConflict)
		_, err = h.Find(map[string][]string{"X-Api-Key": make([]string, maxValues+1), "Api_key": {"k1", "k2"}})
		require.ErrorIs(t, err, errTooManyHeaders)
	}
}

func TestNewHeadersNamesTheValueAndTheRule(t *testing.T) {
	for _, tc := range []struct {
		names []string
		want  string
	}{
		{[]string{""}, `invalid credential header "": must be an HTTP header name`},
		{[]string{"x-api-key", "x api key"}, `invalid credential header "x api key": must be`},
		{[]string{"x:y"}, `invalid credential header "x:y": must be`},
		{[]string{"clé"}, `invalid credential header "clé": must be`},
		{[]string{"a\r\nb"}, `invalid credential header "a\r\nb": must be`},
		{[]string{"x-api-key", "X-API-Key"}, `duplicate credential header "X-API-Key": names are compared without case`},
	} {
		_, err := NewHeaders(tc.names)
		assert.ErrorContains(t, err, tc.want)
	}
}

func TestNamesAreLowerCaseAndACopy(t *testing.T) {
	h, err := NewHeaders([]string{"X-API-Key", "Authorization"})
	require.NoError(t, err)
	names := h.Names()
	assert.Equal(t, []string{"x-api-key", "authorization"}, names)
	names[0] = "changed"
	assert.Equal(t, []string{"x-api-key", "authorization"}, h.Names())
	assert.Equal(t, DefaultHeaders(), defaultHeaders(t).Names())
}

func FuzzFind(f *testing.F) {
	f.Add("Authorization", "Bearer k1", "X-Api-Key", "k1")
	f.Add("authorization", "Basic dTpw", "api_key", " Bearer  k2 ")
	f.Add("X-API-KEY", "k1", "x-api-key", "k2")
	f.Add("Accept", "*/*", "authorization", "Bearer")
	f.Add("authorization", "\xff\x00", "api_\u212aey", "bearer \x00")
	h := defaultHeaders(f)
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		sources := map[string][]string{name1: {value1}, name2: {value2}}
		key, err := h.Find(sources)
		if err != nil {
			require.Empty(t, key)
			for _, known := range []error{ErrMissing, ErrConflict, ErrScheme} {
				if err.Error() == known.Error() || err.Error() == h.missing.Error() {
					return
				}
			}
			t.Fatalf("unexpected error %v", err) // a constant text cannot hold the input
		}
		require.NotEmpty(t, key)
		require.Equal(t, strings.Trim(key, space), key)
		require.True(t, strings.Contains(value1, key) || strings.Contains(value2, key))

		again := maps.Clone(sources)
		again["x-Api-key"] = append([]string{"Bearer " + key}, again["x-Api-key"]...)
		same, err := h.Find(again)
		require.NoError(t, err)
		require.Equal(t, key, same)
		again["x-Api-key"] = []string{"Bearer " + key, "Bearer not" + key}
		_, err = h.Find(again)
		require.ErrorIs(t, err, ErrConflict)
	})
}

// request is what an OTLP exporter sends over HTTP.
func request() http.Header {
	return http.Header{
		"Authorization":   {"Bearer " + goldenKey},
		"Content-Type":    {"application/x-protobuf"},
		"Content-Length":  {"12345"},
		"Accept-Encoding": {"gzip"},
		"User-Agent":      {"OTel OTLP Exporter Go/1.47.0"},
		"Traceparent":     {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		"X-Forwarded-For": {"192.0.2.1"},
	}
}

func TestUsualRequestIsRecognisedWithoutAllocating(t *testing.T) {
	h, sources := defaultHeaders(t), request()
	var digest Digest
	allocs := testing.AllocsPerRun(1000, func() {
		text, err := h.Find(sources)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Format{}.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		digest = s.Digest()
	})
	assert.Zero(t, allocs)
	assert.Equal(t, goldenDigest, digest.String())
}

func BenchmarkFind(b *testing.B) {
	h := defaultHeaders(b)
	huge := request()
	for i := range maxHeaders - len(huge) {
		huge[fmt.Sprintf("X-%07d", i)] = nil
	}
	for name, sources := range map[string]map[string][]string{
		"HTTP": request(), "gRPC": {"authorization": {"Bearer " + goldenKey}, ":authority": {"localhost"}, "content-type": {"application/grpc"}, "user-agent": {"x"}},
		"none": {"Accept": {"*/*"}}, "1000 headers": huge,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = h.Find(sources)
			}
		})
	}
}
