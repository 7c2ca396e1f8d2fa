// Package declaration reads documents that declare users and keys: the sections
// users and keys of the collector's configuration, and what is sent to the admin
// API to be applied. It checks a document by itself; what it means for the
// records that are there already is decided by package provision.
package declaration
