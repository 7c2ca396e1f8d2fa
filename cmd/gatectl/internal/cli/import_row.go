package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// importRow is a key to import.
type importRow struct {
	line int // where it begins in the file
	key  client.KeyCreate
	// columns are what the file calls the fields of the API; nil where it
	// calls them the same.
	columns map[string]string
	there   bool            // the key is there already
	answer  json.RawMessage // of the server
}

// importParser gathers the mistakes of a file.
type importParser struct {
	now  time.Time
	errs []rowError
}

func (r *importParser) refuse(line int, format string, args ...any) {
	r.errs = append(r.errs, rowError{line, fmt.Sprintf(format, args...)})
}

// holdsKey refuses a row that holds an API key, whose text nobody must see.
func (r *importParser) holdsKey(line int, text string) bool {
	if !anyKey.MatchString(text) {
		return false
	}
	r.refuse(line, "holds an API key: put its digest in its place, and replace the key where others could read the file")
	return true
}

// check checks what every key must have.
func (r *importParser) check(row *importRow) {
	key := &row.key
	if strings.TrimSpace(key.Name) == "" {
		r.refuse(row.line, "name: must not be empty: say what the key is for")
	}
	r.checkDigest(row)
	if (len(key.Scopes) > 0) == (key.Preset != nil) {
		r.refuse(row.line, "scopes: set either scopes or preset, and not both")
	}
	for _, scope := range key.Scopes {
		if _, err := identity.ParseScope(string(scope)); err != nil {
			r.refuse(row.line, "%s %s: must be one of %s", row.column("scopes"), quoted(string(scope)), strings.Join(scopeNames(), ", "))
		}
	}
	if key.Preset != nil {
		if _, err := identity.Preset(string(*key.Preset)); err != nil {
			r.refuse(row.line, "%s: %s", row.column("preset"), err)
		}
	}
	if key.ExpiresAt != nil && !key.ExpiresAt.After(r.now) {
		r.refuse(row.line, "%s %s: must be in the future", row.column("expiresAt"), key.ExpiresAt.Format(time.RFC3339))
	}
}

// checkDigest never repeats the digest, which may be a key of another make.
func (r *importParser) checkDigest(row *importRow) {
	if row.key.Digest == nil {
		r.refuse(row.line, "digest: is required: sha256: and the 64 hex digits of the whole key's SHA-256")
		return
	}
	if _, err := credential.ParseDigest(*row.key.Digest); err != nil {
		r.refuse(row.line, "digest: %s", err)
	}
}

// checkOnce refuses a digest that stands in two rows.
func (r *importParser) checkOnce(rows []importRow) {
	first := map[string]int{}
	for i := range rows {
		if rows[i].key.Digest == nil {
			continue
		}
		digest := strings.ToLower(*rows[i].key.Digest)
		if line, ok := first[digest]; ok {
			r.refuse(rows[i].line, "digest: is that of line %d: leave one of the two out", line)
			continue
		}
		first[digest] = rows[i].line
	}
}

// column is what the file calls a field of the API.
func (row *importRow) column(field string) string {
	if name, ok := row.columns[field]; ok {
		return name
	}
	return field
}

// placeText names the column of a place in the request and repeats what stands
// there, unless that is the digest, which may be a secret in a wrong place.
func (row *importRow) placeText(place string) string {
	path := strings.Split(strings.TrimPrefix(place, "/"), "/")
	name := row.column(path[0])
	if path[0] == "digest" || path[0] == "hint" {
		return name
	}
	if value, ok := row.value(path); ok {
		return name + " " + quoted(value)
	}
	return name
}

func (row *importRow) value(path []string) (string, bool) {
	body, err := json.Marshal(row.key)
	if err != nil {
		return "", false
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return "", false
	}
	for _, step := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return "", false
			}
			value = v[i]
		}
	}
	text, ok := value.(string)
	return text, ok
}
