package client

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	const problem = `{"type":"urn:otlpgate:problem:invalid_request","title":"Bad Request","status":400,"code":"invalid_request",
		"detail":"the request breaks 3 rules: see errors",
		"errors":[{"pointer":"/name","detail":"is required"},{"parameter":"limit","detail":"must be 1 to 500"},{"pointer":"","detail":"must be of type object"}]}`
	tests := []struct {
		name                    string
		status                  int
		contentType, retryAfter string
		body, text, code        string
		wait                    time.Duration
	}{
		{
			name: "problem", status: 400, contentType: "application/problem+json; charset=utf-8", retryAfter: "", body: problem, code: "invalid_request",
			text: "the request breaks 3 rules: see errors\n  /name: is required\n  limit: must be 1 to 500\n  body: must be of type object",
		},
		{name: "wait", status: 503, contentType: "application/problem+json", retryAfter: "5", body: `{"detail":"later","code":"not_ready"}`, text: "later", code: "not_ready", wait: 5 * time.Second},
		{name: "a proxy's page", status: 502, contentType: "text/html", retryAfter: "soon", body: "<html>", text: "502 Bad Gateway"},
		{name: "a broken problem", status: 500, contentType: "application/problem+json", retryAfter: "-1", body: `{"detail":"half`, text: "500 Internal Server Error"},
		{name: "redirect", status: 301, contentType: "", retryAfter: "", text: "301 Moved Permanently"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := &http.Response{StatusCode: tt.status, Header: http.Header{"Content-Type": {tt.contentType}, "Retry-After": {tt.retryAfter}}}
			var e *Error
			require.ErrorAs(t, Check(answer, []byte(tt.body)), &e)
			assert.Equal(t, tt.text, e.Error())
			assert.Equal(t, tt.code, e.Code)
			assert.Equal(t, tt.status, e.Status)
			assert.Equal(t, tt.wait, e.RetryAfter)
		})
	}
	assert.NoError(t, Check(&http.Response{StatusCode: http.StatusNoContent}, nil))
}
