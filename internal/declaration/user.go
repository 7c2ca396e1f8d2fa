package declaration

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"net/mail"
	"regexp"
	"strings"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// User is a user in a document.
type User struct {
	// ID is 1 to 100 letters, digits and . _ -; derived from the email where it
	// is empty. One of the two is required.
	ID    string `mapstructure:"id" json:"id,omitempty"`
	Email string `mapstructure:"email" json:"email,omitempty"`
	// Name is the email or the id where it is empty.
	Name string `mapstructure:"name" json:"name,omitempty"`
	// Role bounds every key of the user; member where it is empty.
	Role string `mapstructure:"role" json:"role,omitempty"`
	// Active users' keys may be used. True where it is left out.
	Active *bool `mapstructure:"active" json:"active,omitempty"`
}

// Validate implements confmap.Validator.
func (u *User) Validate() error {
	_, err := u.record()
	return err
}

// record returns the user to keep, or every reason why it cannot be.
func (u *User) record() (store.User, error) {
	p := &parser{}
	user := store.User{
		ID: u.ID, Email: u.Email, Name: cmp.Or(u.Name, u.Email, u.ID),
		Role:   parse(p, cmp.Or(u.Role, string(identity.Member)), identity.ParseRole, "role"),
		Active: u.Active == nil || *u.Active,
	}
	if user.ID == "" && u.Email != "" {
		user.ID = userIDFor(u.Email)
	}
	u.checkID(p)
	p.check(u.Email == "" || isEmail(u.Email), "email", "%.80q is no email address: must be one such as ada@example.com, without a name", u.Email)
	p.check(u.Name == "" || strings.TrimSpace(u.Name) != "", "name", "must not be blank: say who it is, or leave it out")
	p.line(u.Name, maxName, "name")
	return user, p.err()
}

var userID = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

func (u *User) checkID(p *parser) {
	if u.ID == "" {
		p.check(u.Email != "", "id", "must not be empty where there is no email: give the user one of them")
		return
	}
	p.check(userID.MatchString(u.ID), "id", "%.80q is not a user id: must be 1 to 100 letters, digits and . _ -, or left out", u.ID)
	p.check(u.ID != store.BuiltinUserID, "id", "%q is the built-in administrator, who is always there and cannot be declared: choose another id", u.ID)
}

const (
	minEmail = 3
	maxEmail = 254
)

func isEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text && len(text) >= minEmail && len(text) <= maxEmail
}

// userIDFor returns the id of a user that was given none: one that depends on
// the email alone.
func userIDFor(email string) string {
	const letters = 20 // 100 bits
	sum := sha256.Sum256([]byte(store.EmailKey(email)))
	return "user_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:letters]
}
