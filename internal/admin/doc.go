// Package admin serves the admin API: the keys of a gate, who the caller is,
// what there is to grant, and the probes. The contract is the OpenAPI document
// of the package api; requests are checked against it before any code of this
// package sees them.
//
// The way of a request: security headers and recovery, route, authentication,
// validation (JSON first, then schema), handler. What a caller may do is
// decided by the pure functions of policy.go. Every error becomes an RFC 9457
// problem in one place, problem.go, which also sees to it that no answer and
// no log line holds an API key.
package admin
