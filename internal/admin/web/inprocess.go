package web

import (
	"bytes"
	"io"
	"net/http"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// apiClient makes calls of the API in the name of whose context it is given.
type apiClient struct{ *client.ClientWithResponses }

func newAPIClient(handler http.Handler) *apiClient {
	c, err := client.NewClientWithResponses("http://gate"+api.BasePath, client.WithHTTPClient(inProcess{handler}))
	if err != nil { // for a bad URL alone
		panic(err)
	}
	return &apiClient{c}
}

// inProcess carries calls to a handler in the same process.
type inProcess struct{ handler http.Handler }

// Do implements client.HttpRequestDoer.
func (d inProcess) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	answer := &answer{header: http.Header{}, status: http.StatusOK}
	d.handler.ServeHTTP(answer, r)
	return &http.Response{
		StatusCode: answer.status, Status: http.StatusText(answer.status), Header: answer.header,
		Body: io.NopCloser(&answer.body), ContentLength: int64(answer.body.Len()), Request: r,
	}, nil
}

// answer is a ResponseWriter that keeps everything.
type answer struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) Write(b []byte) (int, error) {
	a.wrote = true
	return a.body.Write(b)
}

func (a *answer) WriteHeader(status int) {
	if !a.wrote {
		a.status, a.wrote = status, true
	}
}
