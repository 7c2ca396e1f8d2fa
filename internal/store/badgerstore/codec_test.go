package badgerstore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

func TestARecordIsEncodedWithoutEscapesForHTML(t *testing.T) {
	for _, record := range []any{
		map[string]string{"a": "<>&"},
		map[string]any{"a": []any{map[string]any{"b": "<>&"}}},
		store.Audit{Changes: map[string]store.Change{"name": {To: "<>&"}}},
	} {
		payload, err := encode(record)
		require.NoError(t, err)
		require.Contains(t, string(payload), `"<>&"`)
		require.NotContains(t, string(payload), "\n")
	}
	var decoded map[string]string
	for _, payload := range []string{`{"a":"<>&"}`, `{"a":"\u003c\u003e\u0026"}`} { // earlier releases escaped
		require.NoError(t, decode([]byte(payload), &decoded))
		require.Equal(t, map[string]string{"a": "<>&"}, decoded)
	}
}

// projectsOf returns as many projects as a key may have, nearly as long.
func projectsOf(character string) []string {
	projects := make([]string, 100)
	for i := range projects {
		projects[i] = fmt.Sprintf("%03d", i) + strings.Repeat(character, 252)
	}
	return projects
}

func TestTextThatHTMLWouldEscapeIsKeptAndRestored(t *testing.T) {
	s := openIn(t, newDirectory(t))
	k := storetest.Key(1)
	k.Projects = projectsOf("<")
	a := storetest.Audit("key.create", k.ID)
	a.Changes = audit.KeyChanges(nil, &k)
	_, err := s.CreateKey(t.Context(), k, a)
	require.NoError(t, err)
	_, err = s.UpdateKey(t.Context(), k.ID, func(k *store.Key) (store.Audit, error) {
		before := *k
		k.Projects = projectsOf("&")
		a := storetest.Audit("key.update", k.ID)
		a.Changes = audit.KeyChanges(&before, k)
		return a, nil
	})
	require.NoError(t, err)

	directory := newDirectory(t)
	restoreInto(t, directory, backup(t, s))
	restored := openIn(t, directory)
	require.Equal(t, entries(t, s), entries(t, restored))
	kept, err := restored.Key(t.Context(), k.ID)
	require.NoError(t, err)
	require.Equal(t, projectsOf("&"), kept.Projects)
	require.Empty(t, brokenLinks(t, restored))
}
