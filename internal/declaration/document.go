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
	records := Records{Users: make([]store.User, len(d.Users)), Keys: make([]store.Key, len(d.Keys))}
	for i := range d.Users {
		user, err := d.Users[i].record()
		p.under(err, usersSection, strconv.Itoa(i))
		records.Users[i] = user
	}
	for i := range d.Keys {
		key, err := d.Keys[i].record()
		p.under(err, keysSection, strconv.Itoa(i))
		p.limits(d.Keys[i].Limits, i)
		records.Keys[i] = key
	}
	p.under(d.ValidateTogether(plans))
	if err := p.err(); err != nil {
		return Records{}, err
	}
	return records.normal()
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
	for i := range d.Keys {
		if plan := d.Keys[i].Plan; plans != nil && plan != "" && !plans.Has(plan) {
			p.refuse([]string{keysSection, strconv.Itoa(i), "plan"}, "%s", plans.Unknown(plan))
		}
	}
	d.checkUsersOnce(p)
	d.checkKeysOnce(p)
	return p.err()
}

func (d Document) checkUsersOnce(p *parser) {
	ids, emails := once{}, once{}
	for i := range d.Users {
		user, err := d.Users[i].record()
		if err != nil {
			continue // reported by itself
		}
		p.once(ids, user.ID, user.ID, usersSection, i)
		p.once(emails, store.EmailKey(user.Email), store.EmailKey(user.Email), usersSection, i)
	}
}

func (d Document) checkKeysOnce(p *parser) {
	ids, digests := once{}, once{}
	for i := range d.Keys {
		key, err := d.Keys[i].record()
		if err != nil {
			continue // reported by itself
		}
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
