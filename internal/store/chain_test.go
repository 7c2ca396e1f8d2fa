package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var chainTime = time.Date(2026, time.March, 1, 12, 0, 0, 120_000_000, time.UTC)

// sealed returns a record in normal form, numbered and sealed.
func sealed(t require.TestingT, a Audit, seq uint64, previous Digest) Audit {
	a.Seq = seq
	a, err := a.Normal()
	require.NoError(t, err)
	a, err = a.Sealed(previous)
	require.NoError(t, err)
	return a
}

// TestHashIsThatOfTheCanonicalRecord spells the canonical form out, as who
// verifies the log with other tools must come to the same.
func TestHashIsThatOfTheCanonicalRecord(t *testing.T) {
	first := sealed(t, Audit{Time: chainTime, Action: "backup.create"}, 1, Digest{})
	require.Equal(t, Digest(sha256.Sum256([]byte(`{"action":"backup.create",`+
		`"actor":{"address":null,"keyId":null,"userId":null},"changes":{},"outcome":"success","previousHash":null,`+
		`"reason":null,"seq":1,"target":null,"time":"2026-03-01T12:00:00.12Z"}`))), first.Hash)

	second := sealed(t, Audit{
		Time: chainTime, Action: "key.update", Target: "key_<a>&b", Outcome: Refused, Reason: "forbidden",
		Actor:   Actor{KeyID: "key_1", UserID: "ada", Address: "192.0.2.1"},
		Changes: map[string]Change{"name": {From: "é\u2028\n", To: []any{1, 1.5, 1e21, true, nil}}, "Z": {To: map[string]int{"b": 1, "a": 2}}},
	}, 2, first.Hash)
	previous, err := first.Hash.MarshalText()
	require.NoError(t, err)
	require.Equal(t, Digest(sha256.Sum256([]byte(`{"action":"key.update",`+
		`"actor":{"address":"192.0.2.1","keyId":"key_1","userId":"ada"},`+
		`"changes":{"Z":{"from":null,"to":{"a":2,"b":1}},"name":{"from":"é`+"\u2028"+`\n","to":[1,1.5,1e+21,true,null]}},`+
		`"outcome":"refused","previousHash":"`+string(previous)+`",`+
		`"reason":"forbidden","seq":2,"target":"key_<a>&b","time":"2026-03-01T12:00:00.12Z"}`))), second.Hash)
}

func TestHashIsThatOfTheRecordAsItIsShown(t *testing.T) {
	record := sealed(t, Audit{Time: chainTime, Action: "key.create", Target: "key_1"}, 7, Digest{1})
	shown, err := json.Marshal(record.View())
	require.NoError(t, err)
	require.Contains(t, string(shown), `"hash":"sha256:`)
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, shown, " ", "\t"))
	var fields map[string]any
	require.NoError(t, json.Unmarshal(shown, &fields))
	delete(fields, "hash")
	bare, err := json.Marshal(fields)
	require.NoError(t, err)
	for _, text := range [][]byte{shown, indented.Bytes(), bare} {
		hash, err := AuditHash(text)
		require.NoError(t, err)
		require.Equal(t, record.Hash, hash, "%s", text)
	}
}

func TestHashOfWhatIsNoRecord(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `"x"`, "{} {}"} {
		_, err := AuditHash([]byte(text))
		require.Error(t, err, text)
	}
}

func TestEveryFieldCountsForTheHash(t *testing.T) {
	whole := Audit{
		Time: chainTime, Action: "a", Target: "t", Outcome: Success, Reason: "r",
		Actor: Actor{KeyID: "k", UserID: "u", Address: "x"}, Changes: map[string]Change{"f": {From: "1", To: "2"}},
	}
	hashes := map[Digest]string{}
	for name, edit := range map[string]func(*Audit){
		"none":     func(*Audit) {},
		"time":     func(a *Audit) { a.Time = a.Time.Add(time.Microsecond) },
		"action":   func(a *Audit) { a.Action = "b" },
		"target":   func(a *Audit) { a.Target = "" },
		"outcome":  func(a *Audit) { a.Outcome = Refused },
		"reason":   func(a *Audit) { a.Reason = "" },
		"key":      func(a *Audit) { a.Actor.KeyID = "" },
		"user":     func(a *Audit) { a.Actor.UserID = "" },
		"address":  func(a *Audit) { a.Actor.Address = "" },
		"changes":  func(a *Audit) { a.Changes = nil },
		"field":    func(a *Audit) { a.Changes = map[string]Change{"g": a.Changes["f"]} },
		"from":     func(a *Audit) { a.Changes = map[string]Change{"f": {From: "", To: "2"}} },
		"no from":  func(a *Audit) { a.Changes = map[string]Change{"f": {To: "2"}} },
		"swapped":  func(a *Audit) { a.Changes = map[string]Change{"f": {From: "2", To: "1"}} },
		"to a sum": func(a *Audit) { a.Changes = map[string]Change{"f": {From: "1", To: 2}} },
	} {
		a := whole
		edit(&a)
		hashes[sealed(t, a, 5, Digest{9}).Hash] = name
	}
	hashes[sealed(t, whole, 6, Digest{9}).Hash] = "seq"
	hashes[sealed(t, whole, 5, Digest{8}).Hash] = "previous"
	require.Len(t, slices.Collect(maps.Keys(hashes)), 17)
}

// TestHashOutlivesTheRecordsJSON: a backend keeps records as JSON, and what it
// reads must still have its hash.
func TestHashOutlivesTheRecordsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[^\x00]*`)
		value := rapid.OneOf(text.AsAny(), rapid.Float64().AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(),
			rapid.SliceOf(text).AsAny(), rapid.MapOf(text, text).AsAny(), rapid.Just[any](nil))
		record := sealed(t, Audit{
			Time: time.UnixMicro(rapid.Int64Range(-62135596800e6, 253402300799e6).Draw(t, "time")), Action: text.Draw(t, "action"),
			Reason: text.Draw(t, "reason"), Actor: Actor{UserID: text.Draw(t, "user")},
			Changes: map[string]Change{text.Draw(t, "field"): {From: value.Draw(t, "from"), To: value.Draw(t, "to")}},
		}, rapid.Uint64Range(1, 1<<53).Draw(t, "seq"), Digest{1})
		kept, err := json.Marshal(record)
		require.NoError(t, err)
		var read Audit
		require.NoError(t, json.Unmarshal(kept, &read))
		require.Equal(t, record, read)
		again, err := read.Sealed(read.PreviousHash)
		require.NoError(t, err)
		require.Equal(t, record, again)
		shown, err := json.Marshal(read.View())
		require.NoError(t, err)
		hash, err := AuditHash(shown)
		require.NoError(t, err)
		require.Equal(t, record.Hash, hash)
	})
}

func BenchmarkSealed(b *testing.B) {
	record := sealed(b, Audit{
		Time: chainTime, Action: "key.update", Target: "key_00000000000000000001",
		Actor:   Actor{KeyID: "key_00000000000000000002", UserID: "admin", Address: "192.0.2.1"},
		Changes: map[string]Change{"name": {From: "before", To: "after"}, "plan": {From: "free", To: "pro"}},
	}, 1, Digest{1})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := record.Sealed(record.PreviousHash); err != nil {
			b.Fatal(err)
		}
	}
}
