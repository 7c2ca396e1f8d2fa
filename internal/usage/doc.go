// Package usage learns how keys are used, off the way of requests: in memory
// first, and from there in batches to a store.
package usage
