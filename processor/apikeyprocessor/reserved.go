package apikeyprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// reservedRoot is the namespace of the key's identity. All of it is taken from
// senders, whatever is configured to be written.
const reservedRoot = "apikey"

// reservedNames are the attributes that only the processor may set: the
// configured names and everything in reservedRoot. A name covers what is below
// it, and it is found in nested maps too, since backends treat {"a": {"b": 1}}
// and {"a.b": 1} alike.
type reservedNames []string

func newReservedNames(names []attributeName) reservedNames {
	reserved := reservedNames{reservedRoot}
	for _, n := range names {
		if !reserved.cover(n.name) {
			reserved = append(reserved, n.name)
		}
	}
	return reserved
}

// cover reports whether path is reserved or lies below what is.
func (r reservedNames) cover(path string) bool {
	for _, name := range r {
		if path == name || liesBelow(path, name) {
			return true
		}
	}
	return false
}

// below reports whether something reserved lies below path.
func (r reservedNames) below(path string) bool {
	for _, name := range r {
		if liesBelow(name, path) {
			return true
		}
	}
	return false
}

// liesBelow reports whether path is in the namespace of root.
func liesBelow(path, root string) bool {
	return len(path) > len(root) && path[len(root)] == '.' && strings.HasPrefix(path, root)
}

// strip removes every reserved attribute and returns how many there were.
func (r reservedNames) strip(attributes pcommon.Map) int {
	return r.stripBelow(attributes, "")
}

// stripBelow does the same for a map that lies under a prefix. There it removes
// what has no name too: in profiles that may be a reference to a name, which
// pdata does not show.
func (r reservedNames) stripBelow(attributes pcommon.Map, prefix string) int {
	removed := 0
	attributes.RemoveIf(func(name string, value pcommon.Value) bool {
		path := prefix + name
		if r.cover(path) || (name == "" && prefix != "") {
			removed++
			return true
		}
		if value.Type() == pcommon.ValueTypeMap && r.below(path) {
			removed += r.stripBelow(value.Map(), path+".")
		}
		return false
	})
	return removed
}
