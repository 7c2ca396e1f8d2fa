package catalog

import (
	"cmp"
	"math"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// entry is what is held of a key. Times are Unix microseconds. The order of the
// fields leaves no gaps: there are as many entries as keys.
type entry struct {
	// data is, one after the other: the lower-case text that is searched, which
	// begins with the name; the id; the references of the secrets. One string
	// takes less than three.
	data           string
	created        int64
	expires        int64 // never: the largest
	used           int64 // the latest of its secrets'; never: the smallest
	textEnd, idEnd uint32
	owner          slot // of the user; noSlot where there is none
	plan           slot // of the plan's name
	flags          flags
}

// slot is the place of a record among those of its kind.
type slot = uint32

const noSlot slot = math.MaxUint32

const (
	never    = math.MaxInt64
	neverYet = math.MinInt64
)

// flags are what is true of a key.
type flags uint8

const (
	ofUser flags = 1 << iota
	ofTest
	revoked
	withdrawn
	declared
)

// separator stands between the texts that are searched; none of them holds it.
const separator = "\x00"

// newEntry returns that of a key that was not used yet. Owner and plan are set by
// the index.
func newEntry(k *store.Key) entry {
	texts := []string{k.Name, k.Description, k.ID}
	for i := range k.Secrets {
		texts = append(texts, k.Secrets[i].Hint)
	}
	text := strings.ToLower(strings.Join(texts, separator))
	var data strings.Builder
	data.Grow(len(text) + len(k.ID) + len(store.SecretRef{})*len(k.Secrets))
	data.WriteString(text)
	data.WriteString(k.ID)
	for i := range k.Secrets {
		ref := k.Secrets[i].Digest.Ref()
		data.Write(ref[:])
	}
	return entry{
		data: data.String(), textEnd: uint32(len(text)), idEnd: uint32(len(text) + len(k.ID)),
		flags: flagsOf(k), owner: noSlot,
		created: k.CreatedAt.UnixMicro(), expires: expiry(k.ExpiresAt), used: neverYet,
	}
}

func flagsOf(k *store.Key) flags {
	return ofUser.where(k.Type == identity.UserKey) | ofTest.where(k.Environment == identity.Test) |
		revoked.where(!k.RevokedAt.IsZero()) | withdrawn.where(k.Withdrawn) | declared.where(k.Declared)
}

func (f flags) where(is bool) flags {
	if is {
		return f
	}
	return 0
}

func expiry(at time.Time) int64 {
	if at.IsZero() {
		return never
	}
	return at.UnixMicro()
}

func (e *entry) text() string { return e.data[:e.textEnd] }
func (e *entry) id() string   { return e.data[e.textEnd:e.idEnd] }

// name is in lower case.
func (e *entry) name() string {
	name, _, _ := strings.Cut(e.data, separator)
	return name
}

// has reports whether the key has the secret.
func (e *entry) has(secret store.SecretRef) bool {
	for refs := e.data[e.idEnd:]; refs != ""; refs = refs[len(secret):] {
		if refs[:len(secret)] == string(secret[:]) {
			return true
		}
	}
	return false
}

// place is where a key stands in an order.
type place struct {
	number int64  // zero where text is sorted by
	text   string // empty where a time is sorted by
	id     string
}

func (e *entry) place(by field) place {
	p := place{id: e.id()}
	switch by {
	case byName:
		p.text = e.name()
	case byCreated:
		p.number = e.created
	case byUsed:
		p.number = e.used
	case byExpires:
		p.number = e.expires
	}
	return p
}

func (p place) compare(other place) int {
	if c := cmp.Compare(p.number, other.number); c != 0 {
		return c
	}
	if c := strings.Compare(p.text, other.text); c != 0 {
		return c
	}
	return strings.Compare(p.id, other.id)
}
