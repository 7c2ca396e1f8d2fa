package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/otlpgate/otlpgate/internal/credential"
)

// signInFile is the name, inside the directory, of the file with the keys of
// plain users.
const signInFile = "demo-keys.txt"

// mintSignIns makes the secrets of the keys that one can sign in with as a plain
// user, and writes them down, readable by the directory's owner alone.
func (w *world) mintSignIns() error {
	var text strings.Builder
	text.WriteString("# Keys of plain users, to sign in with: key, user, role.\n")
	for _, k := range w.keys {
		if !k.signIn {
			continue
		}
		secret := credential.Format{}.Mint(credential.Live)
		w.signIns[k.name] = secret
		fmt.Fprintf(&text, "%s  %s  %s\n", secret.Reveal(), k.user.email, k.user.role)
	}
	path := filepath.Join(w.Directory, signInFile)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = f.WriteString(text.String())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
