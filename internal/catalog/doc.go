// Package catalog lists keys: searched, filtered, sorted and in pages, out of
// memory, as people do who look at 100,000 of them.
//
// # Always current
//
// A catalog follows the audit log, in which every change of a key or user is
// named in the transaction that makes it (store.Keys). Before each answer it asks
// for the newest record; where that is not the one it knows, it loads the keys and
// users that the newer ones name. So a list that begins after a write was
// acknowledged shows it, whoever made it.
//
// # Memory
//
// A key with texts of usual length takes 260 bytes, as BenchmarkListOfManyKeys
// measures: 100,000 keys take 26 MB. One with a description of 1,000 characters
// takes that much more. While many changes are caught up with by reading all keys
// anew, that comes twice. Records are not held: whoever lists reads those of a page
// from the store.
package catalog
