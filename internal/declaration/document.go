package declaration

import (
	"strconv"
	"strings"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// Document declares users and keys.
type Document struct {
	Users []User `mapstructure:"users" json:"users,omitempty"`
	Keys  []Key  `mapstructure:"keys" json:"keys,omitempty"`
}

// Records are what a document declares, in its order: complete but for what a
// store knows, such as when a record was made.
type Records struct {
	Users []store.User
	Keys  []store.Key
}

const (
	usersSection = "users"
	keysSection  = "keys"
)

// Records returns what the document declares, or every rule that it breaks, as
// Errors. Owners are not looked up.
func (d Document) Records(plans *limit.Plans) (Records, error) {
	p := &parser{}
	users, keys := d.parse()
	records := Records{Users: make([]store.User, len(users)), Keys: make([]store.Key, len(keys))}
	for i, user := range users {
		p.under(user.err, usersSection, strconv.Itoa(i))
		records.Users[i] = user.record
	}
	for i, key := range keys {
		p.under(key.err, keysSection, strconv.Itoa(i))
		p.limits(d.Keys[i].Limits, i)
		records.Keys[i] = key.record
	}
	p.together(users, keys, plans)
	if err := p.err(); err != nil {
		return Records{}, err
	}
	return records.normal()
}

// parsed is a record of a document, or the rules that it breaks.
type parsed[T any] struct {
	record T
	err    error
}

func (d Document) parse() ([]parsed[store.User], []parsed[store.Key]) {
	users, keys := make([]parsed[store.User], len(d.Users)), make([]parsed[store.Key], len(d.Keys))
	for i := range d.Users {
		users[i].record, users[i].err = d.Users[i].record()
	}
	for i := range d.Keys {
		keys[i].record, keys[i].err = d.Keys[i].record()
	}
	return users, keys
}

// limits checks each limit by itself, unless there are so many that the list is
// refused as a whole.
func (p *parser) limits(limits []limit.Limit, key int) {
	if len(limits) > limit.MaxLimits {
		return
	}
	for i, l := range limits {
		p.add(l.Validate(), keysSection, strconv.Itoa(key), "limits", strconv.Itoa(i))
	}
}

// normal brings the records into the form in which they are kept. What is left
// to be refused here breaks a rule that no field has, such as a year beyond 9999.
func (r Records) normal() (Records, error) {
	p := &parser{}
	for i, user := range r.Users {
		r.Users[i] = parse(p, user, store.User.Normal, usersSection, strconv.Itoa(i))
	}
	for i, key := range r.Keys {
		r.Keys[i] = parse(p, key, store.Key.Normal, keysSection, strconv.Itoa(i))
	}
	if err := p.err(); err != nil {
		return Records{}, err
	}
	return r, nil
}

// ValidateTogether reports the rules between records, and between keys and
// plans. Those of a single record are Validate's. Plans is nil where they are
// refused themselves.
func (d Document) ValidateTogether(plans *limit.Plans) error {
	p := &parser{}
	users, keys := d.parse()
	p.together(users, keys, plans)
	return p.err()
}

func (p *parser) together(users []parsed[store.User], keys []parsed[store.Key], plans *limit.Plans) {
	for i := range keys {
		if plan := keys[i].record.Plan; plans != nil && plan != "" && !plans.Has(plan) {
			p.refuse([]string{keysSection, strconv.Itoa(i), "plan"}, "%s", plans.Unknown(plan))
		}
	}
	p.usersOnce(users)
	p.keysOnce(keys)
}

func (p *parser) usersOnce(users []parsed[store.User]) {
	ids, emails := once{}, once{}
	for i := range users {
		if users[i].err != nil {
			continue // reported by itself
		}
		user := &users[i].record
		p.once(ids, user.ID, user.ID, usersSection, i)
		p.once(emails, store.EmailKey(user.Email), store.EmailKey(user.Email), usersSection, i)
	}
}

func (p *parser) keysOnce(keys []parsed[store.Key]) {
	ids, digests := once{}, once{}
	for i := range keys {
		if keys[i].err != nil {
			continue // reported by itself
		}
		key := &keys[i].record
		digest := credential.Digest(key.Secrets[0].Digest).String()
		p.once(ids, key.ID, key.ID, keysSection, i)
		p.once(digests, digest, digest[:shortDigest]+"…", keysSection, i)
	}
}

// shortDigest is as much of a digest as is shown, enough to find it in the
// document.
const shortDigest = len("sha256:") + 8

// once holds the index of the first record with a value.
type once map[string]int

// once refuses a value that an earlier record of the section has. Shown is what
// people see of it.
func (p *parser) once(seen once, value, shown, section string, i int) {
	if value == "" {
		return
	}
	if first, taken := seen[value]; taken {
		p.refuse([]string{section, strconv.Itoa(i)}, "%s is already that of %s::%d: declare each %s once",
			shown, section, first, strings.TrimSuffix(section, "s"))
		return
	}
	seen[value] = i
}
