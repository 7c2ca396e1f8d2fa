package catalog

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otlpgate/otlpgate/internal/store"
)

func FuzzPosition(f *testing.F) {
	o, err := (&Listing{}).ordering()
	assert.NoError(f, err)
	f.Add([]byte{behindIt})
	f.Add([]byte(o.cursor(position{at: &place{number: -1, text: "name", id: "key"}})))
	f.Add([]byte("<12345678\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := o.position(o.name.At(raw)) // sealed as if it had been given
		if err != nil {
			assert.ErrorIs(t, err, store.ErrBadCursor)
			return
		}
		again, err := o.position(o.cursor(p))
		assert.NoError(t, err)
		assert.Equal(t, p, again)
	})
}
