package accesslog

import (
	"maps"

	"github.com/otlpgate/otlpgate/internal/access"
)

// sheet holds the counts of one place, each in a row that it keeps: so blocks of
// rows can be written again and again while their minute lasts.
type sheet struct {
	serial   uint32
	rows     []row
	index    map[access.Group]int
	starts   []int         // the first row of each part
	newest   filling       // of the last part
	versions map[int]int64 // of blocks, by part; those that are not written
	version  int64
}

type row struct {
	group     access.Group
	volume    access.Volume
	userAgent string
	country   string
	part      int
}

func (r *row) record() record { return record{&r.group, &r.volume, r.userAgent, r.country, 0} }

func newSheet(serial uint32) *sheet {
	return &sheet{serial: serial, index: map[access.Group]int{}, versions: map[int]int64{}}
}

func (s *sheet) has(g *access.Group) bool {
	_, ok := s.index[*g]
	return ok
}

func (s *sheet) add(g *access.Group, v *access.Volume, userAgent, country string) {
	i, ok := s.index[*g]
	if !ok {
		i = len(s.rows)
		s.index[*g] = i
		s.append(row{group: *g, userAgent: userAgent, country: country})
	}
	s.rows[i].volume.Add(v)
	s.version++
	s.versions[s.rows[i].part] = s.version
}

func (s *sheet) append(r row) {
	entry := r.record()
	if len(s.starts) == 0 || !s.newest.take(&entry) {
		s.starts, s.newest = append(s.starts, len(s.rows)), filling{}
		s.newest.take(&entry)
	}
	r.part = len(s.starts) - 1
	s.rows = append(s.rows, r)
}

// part returns the rows of a block.
func (s *sheet) part(n int) []row {
	if n+1 < len(s.starts) {
		return s.rows[s.starts[n]:s.starts[n+1]]
	}
	return s.rows[s.starts[n]:]
}

// changed returns the blocks that are not written as they are, with their
// versions.
func (s *sheet) changed() map[int]int64 { return maps.Clone(s.versions) }

// wrote notes that a block was written as it was.
func (s *sheet) wrote(part int, version int64) {
	if s.versions[part] == version {
		delete(s.versions, part)
	}
}
