// Package geo knows the country of an address, by a database in the MaxMind
// format (.mmdb).
//
// # Memory
//
// A database is held in memory as it is in its file: 10 MB for the countries of
// GeoLite2, 60 MB and more for its cities. While a new one is read, that comes
// twice. Mapping the file would save it, but whoever writes into a mapped file
// or truncates it, as copying over it does, changes answers halfway or ends the
// process with SIGBUS.
package geo

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Unknown is the country of addresses whose country is not known: CLDR's code
// for an unknown region, which ISO 3166-1 leaves to its users.
const Unknown = "ZZ"

// Options configure a Database.
type Options struct {
	Logger *zap.Logger // nil: nothing is logged
}

// Database is a file of countries. Safe for concurrent use; make it with Open.
// It holds nothing that must be closed.
type Database struct {
	path    string
	logger  *zap.Logger
	edition atomic.Pointer[edition]

	mu   sync.Mutex // guards the rest
	read content    // what the edition was made of
	sure bool       // that read was whole; see Refresh
}

// Info describes what a Database answers by.
type Info struct {
	Type  string    // such as GeoLite2-Country; what the maker chose
	Built time.Time // UTC
}

// Open reads the database at path. Its records must have a country, in one of
// the layouts of MaxMind, DB-IP, IP2Location, IPinfo and IPLocate.
func Open(path string, o Options) (*Database, error) {
	d := &Database{path: path, logger: o.Logger}
	if d.logger == nil {
		d.logger = zap.NewNop()
	}
	c, err := readContent(path)
	if err != nil {
		return nil, fmt.Errorf("open geoip database %q: %w", path, err)
	}
	e, err := newEdition(c.data)
	if err != nil {
		return nil, fmt.Errorf("open geoip database %q: %w", path, err)
	}
	d.read = c
	d.use(e, "opened the geoip database")
	return d, nil
}

// Country returns the ISO 3166-1 alpha-2 code of the country of addr, in upper
// case; Unknown where the database has none, or addr is not valid. It does not
// allocate but for records that were not asked for of late.
func (d *Database) Country(addr netip.Addr) string {
	if !addr.IsValid() {
		return Unknown
	}
	return d.edition.Load().country(addr.Unmap()).String()
}

// Info describes the database that is in use.
func (d *Database) Info() Info { return d.edition.Load().info() }

func (d *Database) use(e *edition, event string) {
	d.edition.Store(e)
	info := e.info()
	d.logger.Info(event, zap.String("path", d.path), zap.String("type", info.Type), zap.Time("built", info.Built))
}
