package limit

import (
	"context"
	"time"
)

// MaxCountsSize bounds the data of a key's counts, in bytes: some 400 limits of
// which all buckets are in use.
const MaxCountsSize = 256 << 10

// Keeper keeps the counts of long windows beyond the process. Implementations
// MUST be safe for concurrent use.
type Keeper interface {
	// Counts returns what was last kept for the key and has not run out, nil
	// where nothing was.
	Counts(ctx context.Context, key string) ([]byte, error)
	// KeepCounts makes all of the counts, each of MaxCountsSize at most, durable
	// before it returns. It may keep some of them where it returns an error.
	KeepCounts(ctx context.Context, counts []Counts) error
}

// Counts are those of one key, in a form that only this package reads.
type Counts struct {
	Key  string
	Data []byte    // empty: forget the key
	End  time.Time // after which they mean nothing
}
