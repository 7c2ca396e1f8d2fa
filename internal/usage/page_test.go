package usage

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv"
)

func fullPage(slots, endpoints, reasons, countries int) *page {
	p := newPage(1_800_000_000)
	for slot := range slots {
		b := p.slot(slot)
		for e := range endpoints {
			c := b.endpoint(fmt.Sprintf("GET /api/v1/a-long-endpoint/{id}/%d", e))
			*c = Counts{Requests: 1 << 20, Failed: 100, Items: 1 << 40, RefusedItems: 1 << 30, Bytes: 1 << 50}
			for r := range reasons {
				c.refuse(fmt.Sprintf("a_long_reason_%d", r), 1000)
			}
		}
		for n := range countries {
			*b.country(fmt.Sprintf("%c%c", 'A'+n/26, 'A'+n%26)) = CountryCounts{Requests: int64(1000 + n), Errors: 10}
		}
	}
	return p
}

func TestAPageIsReadAsItWasWritten(t *testing.T) {
	for name, p := range map[string]*page{
		"empty": newPage(0), "one": fullPage(1, 1, 0, 0), "usual": fullPage(60, 2, 2, 3), "large": fullPage(60, 8, 8, 32),
	} {
		got, err := decodePage(p.encode())
		require.NoError(t, err, name)
		assert.Equal(t, p, got, name)
	}
}

func TestAPageFitsIntoAValueAndItsTotalsStayExact(t *testing.T) {
	p := fullPage(60, 40, 6, 250)
	var before CountryCounts
	for _, c := range p.slots[0].Countries {
		before.Requests += c.Requests
		before.Errors += c.Errors
	}
	total := p.slots[0].Total()
	value := p.encode()
	assert.LessOrEqual(t, len(value), kv.MaxValue)
	got, err := decodePage(value)
	require.NoError(t, err)
	var after CountryCounts
	for _, c := range got.slots[0].Countries {
		after.Requests += c.Requests
		after.Errors += c.Errors
	}
	assert.Equal(t, before, after)
	assert.Less(t, len(got.slots[0].Countries), 250)
	assert.Contains(t, got.slots[0].Countries, access.UnknownCountry)
	gotTotal := got.slots[0].Total()
	assert.Equal(t, total.Requests, gotTotal.Requests)
	assert.Equal(t, total.AllRefused(), gotTotal.AllRefused())
}

func TestAMinuteOfAKeyTakesFewBytes(t *testing.T) {
	p := newPage(1_800_000_000)
	for slot := range 60 {
		*p.slot(slot).endpoint("traces") = Counts{Requests: 300, Items: 30_000, Bytes: 15_000_000}
	}
	assert.Less(t, len(p.encode()), 60*20)
}

func FuzzDecodePage(f *testing.F) {
	f.Add(newPage(0).encode())
	f.Add(fullPage(2, 2, 2, 2).encode())
	f.Add([]byte{pageFormat, 0, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, value []byte) {
		p, err := decodePage(value)
		if err != nil {
			return
		}
		again, err := decodePage(p.encode())
		require.NoError(t, err)
		assert.Equal(t, p.start, again.start)
		assert.Len(t, again.slots, len(p.slots))
	})
}
