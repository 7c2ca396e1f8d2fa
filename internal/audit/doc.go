// Package audit is the vocabulary of the audit log: the names of what can be
// done, and how a change of a record is told, field by field.
package audit
