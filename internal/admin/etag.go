package admin

import (
	"slices"
	"strconv"
	"strings"
)

// etag is the entity tag (RFC 9110, section 8.8.3) of a record's revision.
func etag(revision uint64) string { return strconv.Quote(strconv.FormatUint(revision, 10)) }

// checkMatch refuses a change to another version than the one in If-Match (RFC
// 9110, section 13.1.1). Nil means any.
func checkMatch(ifMatch *string, revision uint64) error {
	if ifMatch == nil || strings.TrimSpace(*ifMatch) == "*" {
		return nil
	}
	tags := strings.Split(*ifMatch, ",")
	if slices.ContainsFunc(tags, func(tag string) bool { return strings.TrimSpace(tag) == etag(revision) }) {
		return nil
	}
	return newProblem(codePrecondition, "the record has changed since the version in If-Match, and was left as it is: read it again, then repeat the change")
}
