package storetest

import (
	"encoding/json"
	"slices"

	"github.com/otlpgate/otlpgate/internal/store"
)

// BrokenLinks returns the numbers of the audit records, which are all of a
// store, newest first, that do not hold the hash of the one before or that are
// not what their own hash was made of. It looks at them as a reader of the admin
// API does.
func BrokenLinks(records []store.Audit) []uint64 {
	var broken []uint64
	var previous store.Digest
	for _, r := range slices.Backward(records) {
		text, err := json.Marshal(r.View())
		if err != nil {
			return append(broken, r.Seq)
		}
		if hash, err := store.AuditHash(text); err != nil || hash != r.Hash || r.PreviousHash != previous {
			broken = append(broken, r.Seq)
		}
		previous = r.Hash
	}
	return broken
}
