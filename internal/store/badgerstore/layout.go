package badgerstore

import (
	"encoding/binary"
	"time"

	"github.com/otlpgate/otlpgate/internal/store"
)

// On-disk format, schema 2. Schema 1 had audit records without outcome and
// hashes.
//
// A Badger key starts with one byte that names its family:
//
//	m schema                     → schema version, 4 bytes
//	m change                     → number of the newest change, 8 bytes
//	k id                         → API key, JSON of store.Key
//	d digest                     → id of the API key that has this secret
//	c created id                 → every API key by age
//	o len owner created id       → API keys by owner and age
//	s state created id           → API keys by state ('l' live, 'r' revoked) and age
//	u id                         → user, JSON of store.User
//	e email                      → id of the user that has this email (store.EmailKey)
//	v created id                 → every user by age
//	a seq                        → audit record, JSON of store.Audit
//	t len target seq             → audit records by target, but for those without
//	q id                         → counts of the API key's long windows: when they
//	                               end, Unix microseconds, 8 bytes; limit.Counts.Data
//	n len id ref                 → last use of the API key's secret with that
//	                               store.SecretRef: Unix microseconds, 8 bytes
//	r digest                     → reply to the request that made this secret: when
//	                               it ends, Unix microseconds, 8 bytes; the reply
//
// created is Unix microseconds with the sign bit flipped, seq and created are
// 8 bytes big-endian, len is one byte; so families sort by age. The values of
// c, o, s, v and t are listed, never trusted: whatever they name is judged by
// its record. All other values are sealed (see seal).
//
// Changes are numbered 1, 2, 3 … A change writes one audit record and, but for
// AppendAudit, one key or user; its number is the Seq of the one and the Revision
// of the other. Audit records are chained in the order of their numbers; see
// store.Audit.
//
// Nothing that says no is ever deleted: k, u and a entries are overwritten
// only, and a d or e entry that is given up is overwritten with a tombstone,
// the empty id. Listing entries that have become stale are deleted, as one that
// came back would be skipped.
//
// The q, n and r families stand apart. What they hold is transient and says nothing
// about who may enter: its writes are no changes and have neither number nor
// audit record. So checkHistory, the watermark and backups leave it out, while
// inspect verifies tables whatever is in them. Where the end of the log is lost
// and held nothing else, the entries of before are taken for the newest.
//
// Counts are deleted when they are empty and expire by themselves; those that
// came back would refuse too much at worst, until the end that they name. A last
// use is deleted by the change that gives its secret up; one that came back, or
// was kept later than that, would be of a secret that its key has no more.
const (
	metaFamily     = 'm'
	keyFamily      = 'k'
	digestFamily   = 'd'
	createdFamily  = 'c'
	ownerFamily    = 'o'
	stateFamily    = 's'
	userFamily     = 'u'
	emailFamily    = 'e'
	userAgeFamily  = 'v'
	auditFamily    = 'a'
	targetFamily   = 't'
	countsFamily   = 'q'
	useFamily      = 'n'
	replyFamily    = 'r'
	stateLive      = 'l'
	stateRevoked   = 'r'
	positionLength = 8
)

var (
	schemaKey = []byte("mschema")
	changeKey = []byte("mchange")
	// listed is the value of listing entries.
	listed = []byte{1}
)

func keyKey(id string) []byte      { return append([]byte{keyFamily}, id...) }
func userKey(id string) []byte     { return append([]byte{userFamily}, id...) }
func countsKey(id string) []byte   { return append([]byte{countsFamily}, id...) }
func emailKey(email string) []byte { return append([]byte{emailFamily}, store.EmailKey(email)...) }
func digestKey(digest store.Digest) []byte {
	return append([]byte{digestFamily}, digest[:]...)
}

func auditKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{auditFamily}, seq)
}

func ownerPrefix(owner string) []byte {
	return append([]byte{ownerFamily, byte(len(owner))}, owner...)
}

func targetPrefix(target string) []byte {
	return append([]byte{targetFamily, byte(len(target))}, target...)
}

func replyKey(digest store.Digest) []byte {
	return append([]byte{replyFamily}, digest[:]...)
}

func usePrefix(id string) []byte {
	return append([]byte{useFamily, byte(len(id))}, id...)
}

func useKey(id string, ref store.SecretRef) []byte { return append(usePrefix(id), ref[:]...) }

// splitUseKey takes apart what useKey has put together.
func splitUseKey(key []byte) (id string, ref store.SecretRef, ok bool) {
	if len(key) < 2 || len(key) != 2+int(key[1])+len(ref) {
		return "", ref, false
	}
	idEnd := len(key) - len(ref)
	return string(key[2:idEnd]), store.SecretRef(key[idEnd:]), true
}

func statePrefix(state byte) []byte { return []byte{stateFamily, state} }

func stateOf(k *store.Key) byte {
	if k.RevokedAt.IsZero() {
		return stateLive
	}
	return stateRevoked
}

// position is a record's place in a listing by age.
func position(created time.Time, id string) []byte {
	micros := uint64(created.UnixMicro()) ^ 1<<63
	return append(binary.BigEndian.AppendUint64(nil, micros), id...)
}

func join(prefix, suffix []byte) []byte {
	return append(append(make([]byte, 0, len(prefix)+len(suffix)), prefix...), suffix...)
}
