package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/store"
)

// newLog is a log of n records as the admin API shows it, newest first.
func newLog(t *testing.T, n int) []string {
	t.Helper()
	log := make([]string, n)
	var previous store.Digest
	for i := range n {
		record, err := store.Audit{
			Seq: uint64(i + 1), Time: noon.Add(time.Duration(i) * time.Second), Action: "key.create", Target: "key_a", Outcome: store.Success,
			Changes: map[string]store.Change{"name": {To: "n"}},
		}.Sealed(previous)
		require.NoError(t, err)
		text, err := json.Marshal(record.View())
		require.NoError(t, err)
		log[n-1-i], previous = string(text), record.Hash
	}
	return log
}

// verify returns what a verification of the log says.
func verify(log []string, anchors ...anchor) (*chain, error) {
	v := &chain{anchors: map[uint64]anchor{}}
	for _, a := range anchors {
		v.anchors[a.seq] = a
	}
	for _, record := range log {
		if err := v.add([]byte(record)); err != nil {
			return v, err
		}
	}
	return v, v.end()
}

func TestAnIntactLogIsVerified(t *testing.T) {
	t.Parallel()
	log := newLog(t, 5)
	v, err := verify(log)
	require.NoError(t, err)
	assert.EqualValues(t, 5, v.verified)
	assert.EqualValues(t, 5, v.newest.seq)

	older, err := verify(log[2:])
	require.NoError(t, err)
	_, err = verify(log, v.newest, older.newest)
	require.NoError(t, err, "what was there is there still")

	v, err = verify(nil)
	require.NoError(t, err)
	assert.Zero(t, v.verified)
}

func TestEveryChangeOfALogShows(t *testing.T) {
	t.Parallel()
	edited := func(n int, old, with string) []string {
		log := newLog(t, 5)
		require.Contains(t, log[n], old)
		log[n] = strings.Replace(log[n], old, with, 1)
		return log
	}
	without := func(n int) []string {
		log := newLog(t, 5)
		return append(log[:n:n], log[n+1:]...)
	}
	rehashed := edited(2, "key.create", "key.delete")
	hash, err := store.AuditHash([]byte(rehashed[2]))
	require.NoError(t, err)
	var l link
	require.NoError(t, json.Unmarshal([]byte(rehashed[2]), &l))
	rehashed[2] = strings.Replace(rehashed[2], l.Hash.String(), credential.Digest(hash).String(), 1)

	for want, log := range map[string][]string{
		"record 3 was changed: its hash is": edited(2, "key.create", "key.delete"),
		"record 5 was changed":              edited(0, `"to":"n"`, `"to":"m"`),
		"record 3 was changed: its hash is " + credential.Digest(hash).String(): rehashed,
		"record 3 is missing: record 4 comes after record 2":                    without(2),
		"record 1 is missing: the log begins with record 2":                     without(4),
		"record 4 has no hash": edited(1, `"hash":"`+hashOf(t, newLog(t, 5)[1])+`"`, `"hash":null`),
		"what follows the head of the log is no record of an audit log": {"[]"},
		"what follows record 5 is no record of an audit log":            {newLog(t, 5)[0], "{}"},
		"record 1 names a record before it, and must be the first":      edited(4, `"previousHash":null`, `"previousHash":"`+hashOf(t, newLog(t, 1)[0])+`"`),
		"record 2 names no record before it, and 1 must be there":       edited(3, `"previousHash":"`+hashOf(t, newLog(t, 1)[0])+`"`, `"previousHash":null`),
		"record 4 is missing: record 5 comes after record 5":            append(newLog(t, 5)[:1], newLog(t, 5)...),
	} {
		_, err := verify(log)
		require.ErrorContains(t, err, want)
	}
}

func hashOf(t *testing.T, record string) string {
	t.Helper()
	var l link
	require.NoError(t, json.Unmarshal([]byte(record), &l))
	return l.Hash.String()
}

// A whole chain that somebody wrote anew is consistent by itself.
func TestAnchorsFindAForgedChain(t *testing.T) {
	t.Parallel()
	v, err := verify(newLog(t, 5))
	require.NoError(t, err)
	forged := v.newest
	forged.hash[0]++
	_, err = verify(newLog(t, 6), forged)
	require.ErrorContains(t, err, "record 5 was changed: its hash is "+v.newest.hash.String()+", and was "+forged.hash.String())
	_, err = verify(newLog(t, 4), v.newest)
	require.ErrorContains(t, err, "record 5 is missing: it was there at an earlier verification, and the log ends with record 4 now")
	_, err = verify(nil, v.newest)
	require.ErrorContains(t, err, "the log is empty")
}

func TestAnchorsAreReadFromWhatWasPrinted(t *testing.T) {
	t.Parallel()
	hash := "sha256:" + strings.Repeat("0a", 32)
	path := filepath.Join(t.TempDir(), "anchors")
	require.NoError(t, os.WriteFile(path, []byte("# kept here\n\n7 records verified, newest 7:"+hash+"\n9:"+hash+"\n"), 0o600))
	all, err := (&verifyFlags{anchors: []string{"3:" + hash, "9:" + hash}, anchorFile: path}).readAnchors()
	require.NoError(t, err)
	assert.Len(t, all, 3)

	for _, bad := range []string{"", "7", hash, "0:" + hash, "-1:" + hash, "7:" + hash[:70], "x 7:" + hash, "99999999999999999999:" + hash} {
		_, err := (&verifyFlags{anchors: []string{bad}}).readAnchors()
		require.ErrorContains(t, err, "must be the number of a record and its hash", bad)
	}
	other := "sha256:" + strings.Repeat("0b", 32)
	_, err = (&verifyFlags{anchors: []string{"7:" + other}, anchorFile: path}).readAnchors()
	require.ErrorContains(t, err, "record 7 has two different hashes")
	require.NoError(t, os.WriteFile(path, []byte("7:"+hash+"\nwhat\n"), 0o600))
	_, err = (&verifyFlags{anchorFile: path}).readAnchors()
	require.ErrorContains(t, err, "line 2 holds no number")
}
