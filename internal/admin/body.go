package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"
)

// bodyBounds are the largest body of a request in bytes, and the most JSON values in
// it: without, validating 1 MiB of "[[[[" would cost hundreds.
type bodyBounds struct {
	size   int64
	tokens int
}

var (
	// usualBounds are far above the largest sensible request, which has some 600
	// values.
	usualBounds = bodyBounds{1 << 20, 4096}
	// documentBounds let an administrator declare some 30,000 keys.
	documentBounds = bodyBounds{16 << 20, 1 << 20}
)

func boundsOf(r *http.Request) bodyBounds {
	if r.Pattern == applyPattern && callerIn(r.Context()).admin() {
		return documentBounds
	}
	return usualBounds
}

const (
	jsonType       = "application/json"
	mergePatchType = "application/merge-patch+json" // RFC 7396
)

// checkBody reads the body, refuses what is not one sound JSON value, and puts
// it back for the handlers. Merge patches are relabelled as the JSON they are.
func (s *service) checkBody(w http.ResponseWriter, r *http.Request) error {
	if err := checkContentType(r); err != nil {
		return err
	}
	bounds := boundsOf(r)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bounds.size))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return newProblem(codeBodyTooLarge, "the body is larger than %d bytes: send less", bounds.size)
	}
	if err != nil {
		return newProblem(codeMalformedJSON, "the body ended early: send it whole")
	}
	if err := s.checkJSON(body, bounds.tokens); err != nil {
		return err
	}
	r.Header.Set("Content-Type", jsonType)
	r.ContentLength = int64(len(body))
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func checkContentType(r *http.Request) error {
	sent := r.Header.Get("Content-Type")
	mediaType, _, err := mime.ParseMediaType(sent)
	if err == nil && (mediaType == jsonType || (mediaType == mergePatchType && r.Method == http.MethodPatch)) {
		return nil
	}
	return newProblem(codeUnsupportedMedia, "the body must be JSON, not %q: send it as Content-Type: %s", clip(sent), jsonType)
}

// checkJSON refuses what encoding/json would let pass: invalid UTF-8, repeated
// names, a second value; and API keys, which belong into no field.
func (s *service) checkJSON(body []byte, maxTokens int) error {
	if !utf8.Valid(body) {
		return newProblem(codeMalformedJSON, "the body is not valid UTF-8: encode it as such")
	}
	if !json.Valid(body) {
		return malformedJSON(body)
	}
	walk := jsonWalk{decoder: json.NewDecoder(bytes.NewReader(body)), visit: s.checkNoSecret, max: maxTokens}
	walk.decoder.UseNumber()
	return walk.value()
}

// malformedJSON tells where the body stops being JSON, without quoting it.
func malformedJSON(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return newProblem(codeMalformedJSON, "the body is empty: send a JSON object")
	}
	var discard any
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(body, &discard)); ok {
		return newProblem(codeMalformedJSON, "the body is not valid JSON: the error is at byte %d", syntax.Offset)
	}
	return newProblem(codeMalformedJSON, "the body is not valid JSON")
}

// jsonWalk goes through a valid JSON text.
type jsonWalk struct {
	decoder *json.Decoder
	visit   func(texts ...string) error // of every string, names included
	tokens  int
	max     int
}

func (w *jsonWalk) next() (json.Token, error) {
	if w.tokens++; w.tokens > w.max {
		return nil, newProblem(codeInvalidRequest, "the body holds more than %d values: send fewer", w.max)
	}
	token, err := w.decoder.Token()
	if err != nil { // not after json.Valid
		return nil, newProblem(codeMalformedJSON, "the body is not valid JSON")
	}
	if text, ok := token.(string); ok {
		return token, w.visit(text)
	}
	return token, nil
}

func (w *jsonWalk) value() error {
	token, err := w.next()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		err = w.members()
	case json.Delim('['):
		err = w.items()
	default:
		return nil
	}
	if err != nil {
		return err
	}
	_, err = w.next() // the closing bracket
	return err
}

func (w *jsonWalk) items() error {
	for w.decoder.More() {
		if err := w.value(); err != nil {
			return err
		}
	}
	return nil
}

func (w *jsonWalk) members() error {
	seen := map[string]bool{}
	for w.decoder.More() {
		token, err := w.next()
		if err != nil {
			return err
		}
		name := fmt.Sprint(token)
		if seen[name] {
			return newProblem(codeMalformedJSON, "the body has the field %q twice: send it once", clip(name))
		}
		seen[name] = true
		if err := w.value(); err != nil {
			return err
		}
	}
	return nil
}
