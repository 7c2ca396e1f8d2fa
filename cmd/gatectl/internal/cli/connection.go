package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
)

const (
	urlVariable     = "OTLPGATE_ADMIN_URL"
	defaultAdminURL = "http://localhost:4319"
	apiPath         = "/api/v1"
	defaultTimeout  = 10 * time.Second
	authorization   = "authorization"
	// maxAnswer bounds what is read of an answer; a page of 500 keys with
	// everything that a key can hold is smaller.
	maxAnswer = 256 << 20
)

// connectionFlags say where the admin API is and how to speak with it.
type connectionFlags struct {
	adminURL           string
	keyFile            string
	dataDir            string
	keyHeader          string
	caFile             string
	insecureSkipVerify bool
	allowPlaintext     bool
	timeout            time.Duration
}

func (c *connectionFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&c.adminURL, "admin-url", "", "`URL` of the admin API (env "+urlVariable+", default "+defaultAdminURL+")")
	flags.StringVar(&c.keyFile, "key-file", "", "`FILE` with the API key that gatectl uses, - for standard input (env "+keyVariable+" holds the key itself)")
	flags.StringVar(&c.dataDir, "data-dir", "", "storage `DIRECTORY` of otlpgate, where its first key is (env "+dataDirVariable+", default ./"+defaultDataDir+")")
	flags.StringVar(&c.keyHeader, "key-header", authorization, "`HEADER` for the key; x-api-key or api_key where another credential takes authorization")
	flags.StringVar(&c.caFile, "ca-file", "", "PEM `FILE` with the authorities that may vouch for the server's certificate")
	flags.BoolVar(&c.insecureSkipVerify, "insecure-skip-verify", false, "accept any certificate: whoever answers gets the API key")
	flags.BoolVar(&c.allowPlaintext, "allow-plaintext", false, "send the API key unencrypted to another machine")
	flags.DurationVar(&c.timeout, "timeout", defaultTimeout, "how long to wait for an answer")
}

// connection is a client of the admin API that knows how to explain its
// failures.
type connection struct {
	api     *client.Client
	url     string
	key     callerKey
	timeout time.Duration
	given   *pflag.FlagSet // the command line's; nil where there is none
}

// connect prepares a connection; nothing is sent yet.
func (p *program) connect() (*connection, error) { return p.connectWithin(p.flags.timeout) }

// connectForTransfer is connect for answers of any length, for whose end only
// the caller can tell how long to wait.
func (p *program) connectForTransfer() (*connection, error) { return p.connectWithin(0) }

// connectWithin bounds each exchange, unless the limit is 0.
func (p *program) connectWithin(limit time.Duration) (*connection, error) {
	if p.flags.timeout <= 0 {
		return nil, misuse("leave it out for "+defaultTimeout.String(), "--timeout %s: must be more than 0", p.flags.timeout)
	}
	target, err := parseAdminURL(cmp.Or(p.flags.adminURL, p.getenv(urlVariable), defaultAdminURL))
	if err != nil {
		return nil, err
	}
	if err := p.flags.checkPlaintext(target); err != nil {
		return nil, err
	}
	httpClient, err := p.httpClient(target, limit)
	if err != nil {
		return nil, err
	}
	key, err := p.callerKey(!isLoopback(target))
	if err != nil {
		return nil, err
	}
	c, err := p.flags.open(target, httpClient, key, p.versionText())
	if err != nil {
		return nil, err
	}
	c.given = p.given
	return c, nil
}

func (c *connectionFlags) open(target *url.URL, httpClient *http.Client, key callerKey, version string) (*connection, error) {
	sign, err := signer(c.keyHeader, key.secret)
	if err != nil {
		return nil, err
	}
	api, err := client.NewClient(target.String()+apiPath, client.WithHTTPClient(httpClient),
		client.WithRequestEditorFn(sign), client.WithRequestEditorFn(naming(version)))
	if err != nil {
		return nil, misuse("give it as in "+defaultAdminURL, "admin URL %q: %s", target, err)
	}
	return &connection{api: api, url: target.String(), key: key, timeout: c.timeout}, nil
}

// parseAdminURL accepts the address with or without the path of the API.
func parseAdminURL(text string) (*url.URL, error) {
	const hint = "give the address alone, as in " + defaultAdminURL
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, misuse(hint, "admin URL %q: must begin with http:// or https:// and name a host", text)
	case u.User != nil:
		return nil, misuse(hint, "admin URL of host %s: must not hold a user or password", u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, misuse(hint, "admin URL of host %s: must not hold a query or fragment", u.Host)
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), apiPath)
	u.RawPath = ""
	return u, nil
}

func (c *connectionFlags) checkPlaintext(target *url.URL) error {
	if target.Scheme == "https" || isLoopback(target) || c.allowPlaintext {
		return nil
	}
	return refuse("use an https:// address, a tunnel (ssh -L 4319:localhost:4319 …), or --allow-plaintext where the network is trusted",
		"send the API key to %s: refused, since everyone on the way could read it", target)
}

func isLoopback(target *url.URL) bool {
	host := target.Hostname()
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func (p *program) httpClient(target *url.URL, limit time.Duration) (*http.Client, error) {
	settings, err := p.tlsConfig(target)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout: limit,
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			DialContext:       (&net.Dialer{Timeout: p.flags.timeout}).DialContext,
			TLSClientConfig:   settings,
			ForceAttemptHTTP2: true,
		},
		// The key is for the address that was named, not for where that one
		// points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func (p *program) tlsConfig(target *url.URL) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if target.Scheme != "https" {
		if p.flags.caFile != "" || p.flags.insecureSkipVerify {
			return nil, misuse("use an https:// address or leave them out", "--ca-file and --insecure-skip-verify have no meaning with %s", target)
		}
		return c, nil
	}
	if p.flags.insecureSkipVerify {
		p.warn("the certificate of %s is not verified: whoever answers gets the API key", target.Host)
		c.InsecureSkipVerify = true
	}
	if p.flags.caFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(p.flags.caFile)
	if err != nil {
		return nil, refuse("name a PEM file with --ca-file", "read authorities: %s", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, refuse("name a file with at least one -----BEGIN CERTIFICATE-----", "read authorities from %s: it holds no certificate in PEM", p.flags.caFile)
	}
	return c, nil
}

// signer puts the key into the header of each request.
func signer(header string, key credential.Secret) (client.RequestEditorFn, error) {
	if _, err := credential.NewHeaders([]string{header}); err != nil || header == "" {
		return nil, misuse("use one that otlpgate looks at: "+strings.Join(credential.DefaultHeaders(), ", "), "--key-header %q: must be the name of an HTTP header", header)
	}
	return func(_ context.Context, r *http.Request) error {
		value := key.Reveal()
		if strings.EqualFold(header, authorization) {
			value = "Bearer " + value
		}
		r.Header.Set(header, value)
		return nil
	}, nil
}

// naming tells the server, and so its access log, what asks.
func naming(version string) client.RequestEditorFn {
	agent := "gatectl/" + strings.Trim(version, "()") // which are for comments
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set("User-Agent", agent)
		return nil
	}
}

// result reads an answer into a T. It takes what a call of the client returns
// and names the operation in every error. Body is the answer as it came.
func result[T any](c *connection, operation string, answer *http.Response, callErr error) (value T, body []byte, err error) {
	body, err = c.read(operation, answer, callErr)
	if err != nil {
		return value, nil, err
	}
	if err := json.Unmarshal(body, &value); err != nil || !isJSON(answer) {
		return value, nil, c.strangerFailure(operation, answer.Status)
	}
	return value, body, nil
}

func isJSON(answer *http.Response) bool {
	return strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json")
}

// read returns the body of a successful answer.
func (c *connection) read(operation string, answer *http.Response, callErr error) ([]byte, error) {
	if callErr != nil {
		return nil, c.transportFailure(operation, callErr)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, c.transportFailure(operation, err)
	}
	if err := client.Check(answer, body); err != nil {
		return nil, c.apiFailure(operation, err)
	}
	return body, nil
}
