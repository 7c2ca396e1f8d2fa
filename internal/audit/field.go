package audit

import (
	"reflect"
	"time"

	"github.com/otlpgate/otlpgate/internal/store"
)

// field is a field of a record as the admin API shows it; nil where not set.
type field struct {
	name  string
	value any
}

// differences lists the fields that are not the same, by name. Both lists must
// hold the same fields in the same order.
func differences(before, after []field) map[string]store.Change {
	changes := map[string]store.Change{}
	for i, f := range after {
		if !reflect.DeepEqual(before[i].value, f.value) {
			changes[f.name] = store.Change{From: before[i].value, To: f.value}
		}
	}
	return changes
}

func textOrNil[T ~string](text T) any {
	if text == "" {
		return nil
	}
	return string(text)
}

func listOrNil[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

func trueOrNil(b bool) any {
	if !b {
		return nil
	}
	return true
}

// timeOrNil returns text, which two states can be compared by, with the
// precision that backends keep.
func timeOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}
