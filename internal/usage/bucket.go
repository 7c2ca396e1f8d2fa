package usage

import (
	"cmp"
	"maps"
	"slices"

	"github.com/otlpgate/otlpgate/internal/access"
)

// Counts say how much a key was used.
type Counts struct {
	Requests int64
	// Refused counts requests by the reason of their refusal; nil where there
	// were none.
	Refused map[string]int64
	// Failed are those that were let in and came to nothing.
	Failed int64
	// Items are spans, data points, log records and samples of accepted requests.
	Items        int64
	RefusedItems int64
	Bytes        int64
}

// AllRefused is how many requests were refused.
func (c *Counts) AllRefused() int64 {
	var n int64
	for _, count := range c.Refused {
		n += count
	}
	return n
}

// Errors are the requests that were refused or failed.
func (c *Counts) Errors() int64 { return c.AllRefused() + c.Failed }

// Accepted are the requests that were neither refused nor failed.
func (c *Counts) Accepted() int64 { return c.Requests - c.Errors() }

// ErrorRate is the part of requests that were refused or failed, 0 to 1; zero
// where there were none.
func (c *Counts) ErrorRate() float64 {
	if c.Requests == 0 {
		return 0
	}
	return float64(c.Errors()) / float64(c.Requests)
}

// Add adds other counts.
func (c *Counts) Add(other *Counts) {
	c.Requests += other.Requests
	c.Failed += other.Failed
	c.Items += other.Items
	c.RefusedItems += other.RefusedItems
	c.Bytes += other.Bytes
	for reason, n := range other.Refused {
		c.refuse(reason, n)
	}
}

func (c *Counts) refuse(reason string, n int64) {
	if c.Refused == nil {
		c.Refused = map[string]int64{}
	}
	c.Refused[reason] += n
}

// CountryCounts say how much a key was used from a country.
type CountryCounts struct {
	Requests int64
	Errors   int64
}

// Bucket is the use of a key in some span of time.
type Bucket struct {
	// Endpoints are signals, and calls of the admin API.
	Endpoints map[string]*Counts
	// Countries are ISO 3166 codes; empty where nobody looks countries up.
	Countries map[string]*CountryCounts
}

// Total adds up all endpoints.
func (b *Bucket) Total() Counts {
	var total Counts
	for _, c := range b.Endpoints {
		total.Add(c)
	}
	return total
}

// Add adds another bucket.
func (b *Bucket) Add(other *Bucket) {
	for name, c := range other.Endpoints {
		b.endpoint(name).Add(c)
	}
	for name, c := range other.Countries {
		country := b.country(name)
		country.Requests += c.Requests
		country.Errors += c.Errors
	}
}

func (b *Bucket) add(c *access.Count) {
	counts := b.endpoint(c.Endpoint)
	counts.Requests += c.Requests
	counts.Items += c.Items
	counts.RefusedItems += c.RefusedItems
	counts.Bytes += c.Bytes
	switch c.Outcome {
	case access.Refused:
		counts.refuse(c.Reason, c.Requests)
	case access.Failed:
		counts.Failed += c.Requests
	case access.Accepted:
	}
	if c.Country == "" {
		return
	}
	country := b.country(c.Country)
	country.Requests += c.Requests
	if c.Outcome != access.Accepted {
		country.Errors += c.Requests
	}
}

func (b *Bucket) endpoint(name string) *Counts {
	if b.Endpoints == nil {
		b.Endpoints = map[string]*Counts{}
	}
	c := b.Endpoints[name]
	if c == nil {
		c = &Counts{}
		b.Endpoints[name] = c
	}
	return c
}

func (b *Bucket) country(name string) *CountryCounts {
	if b.Countries == nil {
		b.Countries = map[string]*CountryCounts{}
	}
	c := b.Countries[name]
	if c == nil {
		c = &CountryCounts{}
		b.Countries[name] = c
	}
	return c
}

// bounds say how many names a bucket tells apart.
type bounds struct{ countries, endpoints, reasons int }

// tighter are the bounds to try one after the other until a page fits into a
// value. All but a page full of everything fits with the first.
var tighter = []bounds{{32, 64, 16}, {16, 24, 8}, {8, 8, 4}}

// Other stands for what there is no room to tell apart; of countries
// access.UnknownCountry does.
const Other = "other"

// bound merges what is least of too many.
func (b *Bucket) bound(most bounds) {
	for _, name := range least(b.Countries, most.countries, access.UnknownCountry, func(c *CountryCounts) int64 { return c.Requests }) {
		c := b.Countries[name]
		delete(b.Countries, name)
		rest := b.country(access.UnknownCountry)
		rest.Requests += c.Requests
		rest.Errors += c.Errors
	}
	for _, name := range least(b.Endpoints, most.endpoints, Other, func(c *Counts) int64 { return c.Requests }) {
		c := b.Endpoints[name]
		delete(b.Endpoints, name)
		b.endpoint(Other).Add(c)
	}
	for _, c := range b.Endpoints {
		for _, reason := range least(c.Refused, most.reasons, Other, func(n int64) int64 { return n }) {
			n := c.Refused[reason]
			delete(c.Refused, reason)
			c.refuse(Other, n)
		}
	}
}

// least returns the names to leave out of more than limit, but never that of the
// rest.
func least[T any](all map[string]T, limit int, rest string, size func(T) int64) []string {
	if len(all) <= limit {
		return nil
	}
	names := slices.DeleteFunc(slices.Collect(maps.Keys(all)), func(name string) bool { return name == rest })
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(size(all[b]), size(all[a])), cmp.Compare(a, b))
	})
	return names[limit-1:]
}
