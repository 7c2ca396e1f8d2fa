package geo_test

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/geo"
	"github.com/otlpgate/otlpgate/internal/geo/geotest"
)

// of returns a database of one country.
func of(t testing.TB, code string) []byte {
	t.Helper()
	return geotest.Make(t, geotest.Options{Built: 1}, records{network: geotest.Record(code)})
}

// timed does something to the file at path, and gives it back its time.
func timed(do func(t *testing.T, path string)) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		was, err := os.Stat(path)
		require.NoError(t, err)
		do(t, path)
		require.NoError(t, os.Chtimes(path, was.ModTime(), was.ModTime()))
	}
}

func inPlace(t *testing.T, path string) { write(t, path, of(t, "FR")) }

func longerInPlace(t *testing.T, path string) {
	write(t, path, geotest.Make(t, geotest.Options{Type: "Longer-Than-It-Was"}, records{network: geotest.Record("FR")}))
}

func renamed(t *testing.T, path string) {
	write(t, path+".next", of(t, "FR"))
	require.NoError(t, os.Rename(path+".next", path))
}

func linked(t *testing.T, path string) {
	write(t, path+".2", of(t, "FR"))
	require.NoError(t, os.Symlink(path+".2", path+".link"))
	require.NoError(t, os.Rename(path+".link", path))
}

func older(t *testing.T, path string) {
	renamed(t, path)
	was := time.Now().AddDate(-1, 0, 0)
	require.NoError(t, os.Chtimes(path, was, was))
}

func TestRefreshTakesWhatIsNew(t *testing.T) {
	for name, replace := range map[string]func(t *testing.T, path string){
		"in place":                      inPlace,
		"in place, longer":              longerInPlace,
		"in place, longer, as old":      timed(longerInPlace),
		"renamed":                       renamed,
		"renamed, as old":               timed(renamed),
		"an older one":                  older,
		"a link that now leads to it":   linked,
		"a link, to one that is as old": timed(linked),
	} {
		for _, refreshes := range []int{0, 2} { // as it was read first, and known not to change
			t.Run(fmt.Sprintf("%s, after %d", name, refreshes), func(t *testing.T) {
				path := file(t, of(t, "DE"))
				ago := time.Now().Add(-time.Hour) // not in the tick that it is replaced in
				require.NoError(t, os.Chtimes(path, ago, ago))
				d := open(t, path)
				for range refreshes {
					require.NoError(t, d.Refresh())
				}
				replace(t, path)
				assert.Equal(t, "DE", d.Country(inside), "before it is asked to refresh")
				for range 3 {
					require.NoError(t, d.Refresh())
					assert.Equal(t, "FR", d.Country(inside))
				}
			})
		}
	}
}

func TestAChangeInTheTickOfTheOneBeforeIsTaken(t *testing.T) {
	path := file(t, of(t, "DE"))
	d := open(t, path)
	for _, code := range []string{"FR", "DE", "AT"} {
		timed(func(t *testing.T, path string) { write(t, path, of(t, code)) })(t, path)
		require.NoError(t, d.Refresh())
		assert.Equal(t, code, d.Country(inside))
	}
}

// TestAFileThatIsKnownIsNotReadAgain has one that changed and does not show it.
func TestAFileThatIsKnownIsNotReadAgain(t *testing.T) {
	path := file(t, of(t, "DE"))
	d := open(t, path)
	require.NoError(t, d.Refresh())
	ago := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, ago, ago)) // no change, but it seems one
	for range 2 {
		require.NoError(t, d.Refresh())
	}
	timed(inPlace)(t, path)
	require.NoError(t, d.Refresh())
	assert.Equal(t, "DE", d.Country(inside))
}

func TestWhatIsNotNewIsNotTaken(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	path := file(t, of(t, "DE"))
	d, err := geo.Open(path, geo.Options{Logger: zap.New(core)})
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, d.Refresh())
	}
	assert.Equal(t, 1, logs.Len(), "opened, and no more")
	write(t, path, of(t, "FR"))
	for range 3 {
		require.NoError(t, d.Refresh())
	}
	require.Equal(t, 2, logs.Len())
	assert.Equal(t, "read the new geoip database", logs.All()[1].Message)
}

func TestWhatCannotBeReadLeavesTheOldOneInUseAndIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  string
	}{
		"garbage": {func(t *testing.T, path string) { write(t, path, []byte("<html>")) }, "it is not a MaxMind database"},
		"garbage, renamed": {func(t *testing.T, path string) {
			write(t, path+"2", []byte("<html>"))
			require.NoError(t, os.Rename(path+"2", path))
		}, "it is not a MaxMind database"},
		"empty":     {func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) }, "it is empty"},
		"truncated": {func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 100)) }, "not all of one"},
		"of another kind": {func(t *testing.T, path string) {
			write(t, path, geotest.Make(t, geotest.Options{Type: "ASN"}, records{network: fields{"asn": text("AS64500")}}))
		}, "no record of it has a country"},
		"damaged": {func(t *testing.T, path string) { write(t, path, circularTree(t)) }, "no record of it has a country"},
		"removed": {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, "no such file or directory"},
		"a directory": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		}, "it is not a regular file"},
	} {
		for _, refreshes := range []int{0, 2} { // as it was read first, and known not to change
			t.Run(fmt.Sprintf("%s, after %d", name, refreshes), func(t *testing.T) {
				path := file(t, of(t, "DE"))
				d := open(t, path)
				for range refreshes {
					require.NoError(t, d.Refresh())
				}
				info := d.Info()
				c.spoil(t, path)
				for range 3 {
					require.ErrorContains(t, d.Refresh(), "refresh geoip database \""+path+"\": ")
					require.ErrorContains(t, d.Refresh(), c.want)
					require.Equal(t, "DE", d.Country(inside))
					require.Equal(t, info, d.Info())
				}
				require.NoError(t, os.RemoveAll(path))
				write(t, path, of(t, "FR"))
				require.NoError(t, d.Refresh())
				assert.Equal(t, "FR", d.Country(inside))
			})
		}
	}
}

func TestAFileThatIsRemovedAndComesBackIsTheSame(t *testing.T) {
	path := file(t, of(t, "DE"))
	d := open(t, path)
	require.NoError(t, d.Refresh())
	require.NoError(t, os.Rename(path, path+".away"))
	require.ErrorIs(t, d.Refresh(), fs.ErrNotExist)
	require.NoError(t, os.Rename(path+".away", path))
	require.NoError(t, d.Refresh())
	assert.Equal(t, "DE", d.Country(inside))
}

// TestLookupsNeverFailWhileTheDatabaseIsReplaced has two networks, both of the
// same country at any time.
func TestLookupsNeverFailWhileTheDatabaseIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "geoip.mmdb")
	replace := func(code string) { geotest.Write(t, path, map[string]string{network: code, "2001:db8::/32": code}) }
	replace("DE")
	d := open(t, path)
	addrs := []netip.Addr{inside, netip.MustParseAddr("2001:db8::1")}
	var lookups sync.WaitGroup
	var over atomic.Bool
	defer lookups.Wait()
	defer over.Store(true)
	for w := range 4 {
		lookups.Go(func() {
			for n := 0; !over.Load(); n++ {
				if c := d.Country(addrs[(w+n)%2]); c != "DE" && c != "FR" {
					assert.Fail(t, "a lookup failed", "country %q", c)
					return
				}
				assert.Equal(t, "GeoLite2-Country", d.Info().Type)
			}
		})
	}
	for n := range 60 {
		code := []string{"FR", "DE"}[n%2]
		replace(code)
		refreshed := make(chan error, 2)
		for range cap(refreshed) { // at once
			go func() { refreshed <- d.Refresh() }()
		}
		require.NoError(t, <-refreshed)
		require.NoError(t, <-refreshed)
		for _, addr := range addrs {
			require.Equal(t, code, d.Country(addr))
		}
		require.NoError(t, os.Truncate(path, int64(n)))
		require.Error(t, d.Refresh())
	}
}
