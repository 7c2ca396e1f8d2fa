package geo

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"
	"github.com/oschwald/maxminddb-golang/v2/mmdbdata"
)

// edition is a database as it was read. It never changes, so that lookups
// need no lock: who has begun with one ends with it.
type edition struct {
	reader *maxminddb.Reader
	layout layout
	recent recent
}

func newEdition(data []byte) (*edition, error) {
	if err := checkMetadata(data); err != nil {
		return nil, err
	}
	reader, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w: %s", err, remedy)
	}
	l := findLayout(reader)
	if l == nil {
		return nil, fmt.Errorf("its type is %.80q, and no record of it has a country: %s", reader.Metadata.DatabaseType, remedy)
	}
	return &edition{reader: reader, layout: l}, nil
}

// metadataMarker stands before the metadata, which end the file.
var metadataMarker = []byte("\xAB\xCD\xEFMaxMind.com")

// checkMetadata finds files that are no databases, or not whole. It keeps the
// reader from making maps as large as damaged metadata claim them to be.
func checkMetadata(data []byte) error {
	start := bytes.LastIndex(data, metadataMarker)
	switch {
	case start >= 0:
	case len(data) == 0:
		return errors.New("it is empty: " + remedy)
	case isCompressed(data):
		return errors.New("it is compressed: unpack it with gunzip or tar -xzf")
	default:
		return errors.New("it is not a MaxMind database, or not all of one: " + remedy)
	}
	if err := mmdbdata.NewDecoder(data[start+len(metadataMarker):], 0).SkipValue(); err != nil {
		return fmt.Errorf("its metadata are damaged: %w: %s", err, remedy)
	}
	return nil
}

// country returns the country of an address that is no IPv4 address mapped to
// IPv6.
func (e *edition) country(addr netip.Addr) country {
	if addr.Is6() && e.reader.Metadata.IPVersion == 4 {
		return unknown // the reader would make an error of it
	}
	record := e.reader.Lookup(addr)
	if !record.Found() {
		return unknown
	}
	offset := record.Offset()
	c, ok := e.recent.get(offset)
	if !ok {
		c = e.layout.country(record)
		e.recent.put(offset, c)
	}
	return c
}

func (e *edition) info() Info {
	m := e.reader.Metadata
	return Info{Type: m.DatabaseType, Built: m.BuildTime().UTC()}
}
