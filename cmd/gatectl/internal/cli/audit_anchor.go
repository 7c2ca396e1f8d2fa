package cli

import (
	"bufio"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/otlpgate/otlpgate/internal/credential"
)

const anchorHint = "give what an earlier `gatectl audit verify` printed, such as 42:sha256:0f34…"

// anchorText finds an anchor in a line, which may be all that `audit verify`
// has printed.
var anchorText = regexp.MustCompile(`(?:^|\s)(\d{1,19}):(sha256:[0-9a-f]{64})(?:\s|$)`)

// parseAnchor returns the anchor in a text.
func parseAnchor(text string) (anchor, bool) {
	match := anchorText.FindStringSubmatch(text)
	if match == nil {
		return anchor{}, false
	}
	seq, err := strconv.ParseUint(match[1], 10, 63)
	hash, hashErr := credential.ParseDigest(match[2])
	return anchor{seq, hash}, err == nil && hashErr == nil && seq > 0
}

// anchors reads the flags --anchor and the file of --anchor-file.
func (f *verifyFlags) readAnchors() (map[uint64]anchor, error) {
	all := map[uint64]anchor{}
	for _, word := range f.anchors {
		a, ok := parseAnchor(word)
		if !ok || strings.ContainsAny(word, " \t\n") {
			return nil, misuse(anchorHint, "--anchor %q: must be the number of a record and its hash", word)
		}
		if err := addAnchor(all, a); err != nil {
			return nil, err
		}
	}
	if f.anchorFile == "" {
		return all, nil
	}
	return all, readAnchorFile(f.anchorFile, all)
}

// addAnchor refuses two anchors that no log can have both.
func addAnchor(all map[uint64]anchor, a anchor) error {
	if other, ok := all[a.seq]; ok && other != a {
		return refuse("see where they come from: one of them is of another log, or the log was changed between them",
			"record %d has two different hashes in the anchors: %s and %s", a.seq, other.hash, a.hash)
	}
	all[a.seq] = a
	return nil
}

// readAnchorFile reads an anchor from each line that is neither empty nor a
// comment.
func readAnchorFile(path string, into map[uint64]anchor) error {
	file, err := os.Open(path)
	if err != nil {
		return refuse(anchorHint+", one a line", "read anchors: %s", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		a, ok := parseAnchor(line)
		if !ok {
			return refuse(anchorHint+", one a line", "read anchors from %s: line %d holds no number of a record with its hash", path, n)
		}
		if err := addAnchor(into, a); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return refuse(anchorHint+", one a line", "read anchors from %s: %s", path, err)
	}
	return nil
}
