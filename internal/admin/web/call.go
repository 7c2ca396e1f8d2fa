package web

import (
	"net/http"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// response is what the generated client makes of an answer.
type response interface {
	StatusCode() int
	ContentType() string
	GetBody() []byte
}

// called returns the answer of a call that was carried out, and the error of any
// other.
func called[T response](answer T, err error) (T, error) {
	if err != nil {
		return answer, err
	}
	head := &http.Response{StatusCode: answer.StatusCode(), Header: http.Header{"Content-Type": {answer.ContentType()}}}
	return answer, client.Check(head, answer.GetBody())
}
