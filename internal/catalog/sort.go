package catalog

import (
	"fmt"
	"strings"
)

// Sort is what a listing is sorted by, as the admin API names it. Ids break ties.
type Sort string

// The orders of a listing. Names are compared without case. A key that was never
// used counts as used before any other, and one that never expires as expiring
// after any other.
const (
	NewestFirst       Sort = "-createdAt" // where none is named
	OldestFirst       Sort = "createdAt"
	ByName            Sort = "name"
	ByNameBackwards   Sort = "-name"
	MostRecentlyUsed  Sort = "-lastUsedAt"
	LeastRecentlyUsed Sort = "lastUsedAt"
	ExpiringFirst     Sort = "expiresAt"
	ExpiringLast      Sort = "-expiresAt"
)

// field is what is sorted by, whichever way.
type field int

const (
	byCreated field = iota
	byName
	byUsed
	byExpires
)

// fields is how many there are.
const fields = 4

// parts returns what is sorted by and whether that descends.
func (s Sort) parts() (by field, descending bool, err error) {
	if s == "" {
		s = NewestFirst
	}
	name, descending := strings.CutPrefix(string(s), "-")
	switch Sort(name) {
	case OldestFirst:
		return byCreated, descending, nil
	case ByName:
		return byName, descending, nil
	case LeastRecentlyUsed:
		return byUsed, descending, nil
	case ExpiringFirst:
		return byExpires, descending, nil
	default:
		return 0, false, fmt.Errorf("sort %.40q: must be createdAt, name, lastUsedAt or expiresAt, with a - before it to descend", s)
	}
}
