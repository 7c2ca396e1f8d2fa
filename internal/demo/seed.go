package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/provision"
)

// Options say what is seeded. All but the Directory may be left out.
type Options struct {
	// Directory is to become a storage directory. It must be empty, or not exist.
	Directory string
	// Now is when the past ends; zero means the time of the call.
	Now time.Time
	// Seed makes one past differ from another; zero means 1.
	Seed uint64
	// Keys is how many keys there are at least. Those beyond the company's own are
	// a crowd without a life: made, revoked, expired or used once in a while.
	Keys int
	// UsageKeys is how many keys have usage; zero means all of the company's own
	// that send. Those beyond are of the crowd.
	UsageKeys int
	// Days is how long keys have been used, 1 to MaxDays; zero means DefaultDays.
	Days int
	// AdminKey is the administrator's first key, a px_sys_ key. Empty: one is
	// minted and written to admin.key in the directory, as on the collector's
	// first start.
	AdminKey string
	// Progress is told how far it has come; nil: nobody is.
	Progress io.Writer
}

// The bounds of Options.Days: no usage is kept for longer.
const (
	DefaultDays = 90
	MaxDays     = 400
)

// Summary tells what was seeded.
type Summary struct {
	Directory string
	// AdminKeyFile and SignInFile hold secrets; the first is empty where the key
	// was given.
	AdminKeyFile, SignInFile string
	// CountriesFile is a geoip database that knows the addresses of the past.
	CountriesFile string
	Users, Keys   int
	// Requests are those of each key, by its name; those without a key under
	// Strangers.
	Requests map[string]int64
}

// Strangers is the name of requests without a key in a Summary.
const Strangers = ""

// Seed makes a storage directory. Where it returns an error, or its context ends,
// the directory is as it was.
func Seed(ctx context.Context, o Options) (Summary, error) {
	if err := o.complete(); err != nil {
		return Summary{}, fmt.Errorf("seed: %w", err)
	}
	claimed, err := claim(o.Directory)
	if err != nil {
		return Summary{}, fmt.Errorf("seed: %w", err)
	}
	summary, err := seed(ctx, o)
	if err != nil {
		return Summary{}, errors.Join(fmt.Errorf("seed %q: %w", o.Directory, err), claimed.undo())
	}
	return summary, nil
}

// complete fills in what was left out, and refuses what cannot be.
func (o *Options) complete() error {
	o.Directory = filepath.Clean(o.Directory)
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	o.Now = o.Now.UTC().Truncate(time.Microsecond)
	o.Seed, o.Days = cmp.Or(o.Seed, 1), cmp.Or(o.Days, DefaultDays)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	switch {
	case o.Directory == ".":
		return errors.New("the directory is empty or the working one: name another")
	case o.Days < 1 || o.Days > MaxDays:
		return fmt.Errorf("%d days are out of range: must be 1 to %d", o.Days, MaxDays)
	case o.Keys < 0 || o.UsageKeys < 0:
		return fmt.Errorf("%d keys, %d of them with usage: must not be negative", o.Keys, o.UsageKeys)
	}
	if o.AdminKey == "" {
		return nil
	}
	_, err := provision.ParseAdminKey(credential.Format{}, o.AdminKey)
	return err
}

func seed(ctx context.Context, o Options) (summary Summary, err error) {
	w, err := newWorld(ctx, o)
	if err != nil {
		return Summary{}, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.found(ctx); err != nil {
		return Summary{}, err
	}
	if err := w.live(ctx); err != nil {
		return Summary{}, err
	}
	return w.summary(), nil
}
