// Package provision brings a store to its declared state: the built-in
// administrator with its first key, and the users and keys that a document
// declares, be it the collector's configuration or one that is applied while the
// collector runs.
package provision
