package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/snippet"
)

const (
	keyVariable     = "OTLPGATE_API_KEY"
	dataDirVariable = "OTLPGATE_DATA_DIR"
	defaultDataDir  = "otlpgate-data"
	// adminKeyFile is the file, in the collector's storage directory, that
	// receives the key minted on the first start.
	adminKeyFile = "admin.key"
	// maxKeyFile is far more than a key and white space need.
	maxKeyFile = 4096
)

// callerKey is the key that gatectl authenticates with.
type callerKey struct {
	secret credential.Secret
	source string // for people
}

const otherKeyHint = "give another key with --key-file or " + keyVariable

// callerKey finds the key: the file that was named, else the environment, else
// the local otlpgate's own, which is not for any other: remote tells that the
// admin API is on another machine.
func (p *program) callerKey(remote bool) (callerKey, error) {
	switch {
	case p.flags.keyFile == "-":
		return p.keyFromStdin()
	case p.flags.keyFile != "":
		return p.keyFromFile(p.flags.keyFile)
	case strings.TrimSpace(p.getenv(keyVariable)) != "":
		return parseCallerKey(p.getenv(keyVariable), "the environment variable "+keyVariable)
	}
	dir, named := p.dataDir()
	if remote && !named {
		return callerKey{}, refuse("set "+keyVariable+", or name a file with --key-file",
			"no API key for the admin API on another machine: the key in ./%s/%s is used on this machine alone", defaultDataDir, adminKeyFile)
	}
	path := filepath.Join(dir, adminKeyFile)
	key, err := p.keyFromFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return callerKey{}, refuse("set "+keyVariable+", name a file with --key-file, or the storage directory of otlpgate with --data-dir",
			"no API key: %s is not set, and there is no file %s", keyVariable, path)
	}
	return key, err
}

func (p *program) dataDir() (dir string, named bool) {
	if p.flags.dataDir != "" {
		return p.flags.dataDir, true
	}
	if dir := p.getenv(dataDirVariable); dir != "" {
		return dir, true
	}
	return defaultDataDir, false
}

func (p *program) keyFromStdin() (callerKey, error) {
	text, err := readKeyText(p.stdin)
	if err != nil {
		return callerKey{}, refuse("pipe the key into gatectl, as in `gatectl whoami --key-file - < key`", "read the API key from standard input: %s", err)
	}
	return parseCallerKey(text, "standard input")
}

// keyFromFile returns an error that is fs.ErrNotExist where the file is missing.
func (p *program) keyFromFile(path string) (callerKey, error) {
	file, err := os.Open(path)
	if err != nil {
		return callerKey{}, keyFileFailure(path, err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	p.warnIfShared(file)
	text, err := readKeyText(file)
	if err != nil {
		return callerKey{}, keyFileFailure(path, err)
	}
	return parseCallerKey(text, "the file "+path)
}

// missingFile is a failure that is also fs.ErrNotExist.
type missingFile struct{ *failure }

func (m missingFile) Unwrap() []error { return []error{m.failure, fs.ErrNotExist} }

func keyFileFailure(path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	hint := otherKeyHint
	if errors.Is(err, fs.ErrPermission) {
		hint = "run gatectl as the user that owns the file, or " + otherKeyHint
	}
	f := refuse(hint, "read the API key from %s: %s", path, err)
	if errors.Is(err, fs.ErrNotExist) {
		return missingFile{f}
	}
	return f
}

func readKeyText(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKeyFile+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxKeyFile:
		return "", fmt.Errorf("more than %d bytes: must hold one API key and nothing else", maxKeyFile)
	case strings.TrimSpace(string(text)) == "":
		return "", errors.New("it is empty: must hold one API key")
	}
	return string(text), nil
}

// parseCallerKey checks the form of the key, whatever its prefix. Its errors
// hold nothing of the text.
func parseCallerKey(text, source string) (callerKey, error) {
	text = strings.TrimSpace(text)
	prefix, _, _ := strings.Cut(text, "_")
	secret, err := credential.Format{Prefix: prefix}.Parse(text)
	switch {
	case prefix == "" || errors.Is(err, credential.ErrMalformed):
		return callerKey{}, refuse(otherKeyHint, "%s holds no API key: must be one such as px_sys_ and 36 letters and digits, and nothing else", source)
	case err != nil:
		return callerKey{}, refuse(otherKeyHint, "the API key in %s is damaged: its checksum is wrong, so it was cut off or mistyped", source)
	}
	return callerKey{secret: secret, source: source}, nil
}

// warnIfShared warns of a key file that other users can read. Pipes, which
// shells make for <(…), have no such permissions.
func (p *program) warnIfShared(file *os.File) {
	const groupAndOthers = 0o077
	info, err := file.Stat()
	if err != nil || runtime.GOOS == "windows" || !info.Mode().IsRegular() {
		return
	}
	if mode := info.Mode().Perm(); mode&groupAndOthers != 0 {
		p.warn("other users may read the key file %s (mode %04o): run `chmod 600 %s`", file.Name(), mode, snippet.ShellQuote(file.Name()))
	}
}
