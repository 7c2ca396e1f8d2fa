// Package demo makes storage directories that look like the real life of a
// company: its people and keys, what they did with them, and how much the keys
// were used. It acts the company's past out, from its first day to a moment that
// it is given, against the stores that the collector uses, so that the collector
// serves the directory. It is for showing the product, and for tests and
// benchmarks that need directories of some size; nothing that is built holds it.
//
// The past follows from Options.Seed and Options.Now: whoever gives the same gets
// the same people, keys and usage. Nobody knows the secrets but those of the
// administrator and of the two users whom one can sign in as.
package demo
