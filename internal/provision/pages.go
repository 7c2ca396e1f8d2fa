package provision

import (
	"iter"

	"github.com/otlpgate/otlpgate/internal/store"
)

// allPages walks the records of every page of a listing, up to the first error.
func allPages[T any](list func(store.Page) (records []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		page := store.Page{Limit: store.MaxLimit}
		for {
			records, next, err := list(page)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for i := range records {
				if !yield(records[i], nil) {
					return
				}
			}
			if page.Cursor = next; next == "" {
				return
			}
		}
	}
}
