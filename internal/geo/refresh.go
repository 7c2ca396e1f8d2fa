package geo

import (
	"bytes"
	"fmt"
)

// Refresh reads the file again if it was replaced or written to, and is meant to
// be called every half minute or so. Lookups go on meanwhile, by the database of
// before. That stays in use where there is an error, which the next Refresh
// returns again, unless the file has become readable.
//
// A file is best replaced by renaming another one. One that is written in place
// is refused while it has no end yet; where it had the same size before, what is
// read halfway answers until the next Refresh.
func (d *Database) Refresh() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sure && d.read.isCurrent(d.path) {
		return nil
	}
	c, err := readContent(d.path)
	if err != nil {
		return fmt.Errorf("refresh geoip database %q: %w", d.path, err)
	}
	// A change within a tick of the file system's clock, some milliseconds, does
	// not show. So what is new is read twice, the second time when the tick is
	// over, and taken for what it seems to be when it was the same.
	if bytes.Equal(c.data, d.read.data) {
		d.sure = unchanged(d.read.file, c.file)
		d.read.file = c.file
		return nil
	}
	e, err := newEdition(c.data)
	if err != nil {
		return fmt.Errorf("refresh geoip database %q: %w", d.path, err)
	}
	d.read, d.sure = c, false
	d.use(e, "read the new geoip database")
	return nil
}
