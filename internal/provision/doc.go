// Package provision brings a store to its configured state when a collector
// starts: the built-in administrator with its first key, and the keys that are
// declared in the configuration.
package provision
