package provision

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// widest are characters that take much room in a record: one of four bytes, and
// those that JSON may escape.
var widest = []string{"\U0010fffd", "<", `"`}

// widestBreak is escaped with six bytes. It is refused but in descriptions.
const widestBreak = "\u2028"

func scopes() (names []string) {
	for _, s := range identity.Member.Scopes().List() {
		names = append(names, string(s))
	}
	return names
}

func countries() (codes []string) {
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if code := string([]rune{a, b}); declaration.IsCountry(code) {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

// repeated returns a list of a length.
func repeated(list []string, length int) []string {
	return slices.Repeat(list, length/len(list)+1)[:length]
}

// widestDocument has as much of everything as a document may, of one character.
// Two editions have no text and no list in common.
func widestDocument(character string, edition int) declaration.Document {
	text := func(length int) string { return strings.Repeat(character, length-1) + strconv.Itoa(edition) }
	k := declaration.Key{
		ID: "key_aaaaaaaaaaaaaaaaaaaa", Name: text(100), Description: strings.Repeat(widestBreak, 999) + strconv.Itoa(edition),
		Digest: credential.Format{}.Mint(credential.Live).Digest().String(), Hint: text(100), Type: string(identity.UserKey),
		OwnerID: strings.Repeat("u", 100), Plan: text(100), ExpiresAt: now.Add(time.Hour + time.Duration(edition)*time.Microsecond),
	}
	k.Scopes = repeated(scopes()[edition:], 100)
	k.ExpectedCountries = repeated(countries()[edition:], 300)
	for i := range 100 {
		k.Projects = append(k.Projects, fmt.Sprintf("%03d", i)+text(253))
		k.AllowedIPs = append(k.AllowedIPs, fmt.Sprintf("2001:db8:1234:5678:9abc:def%d:ffff:%x/128", edition, 0xff00+i))
	}
	for i := range limit.MaxLimits {
		k.Limits = append(k.Limits, limit.Limit{
			On: limit.Profiles, Unit: limit.Requests, Max: limit.MaxMax - int64(edition), Window: limit.MaxWindow - limit.Window(i)*limit.Window(time.Second),
		})
	}
	u := declaration.User{
		ID: k.OwnerID, Email: strings.Repeat("&", 63) + strconv.Itoa(edition) + "@" + strings.Repeat("x", 189), Name: text(100), Role: "viewer",
	}
	return declaration.Document{Users: []declaration.User{u}, Keys: []declaration.Key{k}}
}

func TestWhatADocumentMayHoldCanBeWritten(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		for _, character := range widest {
			for edition := range 2 {
				records, err := widestDocument(character, edition).Records(nil)
				require.NoError(t, err)
				_, err = Reconcile(t.Context(), s, records, from(Configuration))
				require.NoError(t, err)
				kept := stored(t, s, records.Keys[0].ID)
				require.Equal(t, records.Keys[0].Projects, kept.Projects)
				require.Len(t, kept.AllowedIPs, 100)
				require.Len(t, kept.ExpectedCountries, len(countries())-edition)
			}
		}
	})
}

// What is too much is refused before a part of the document is written.
func TestACountryThatIsRepeatedForEverIsRefusedByTheDocument(t *testing.T) {
	d := widestDocument("a", 0)
	d.Keys[0].ExpectedCountries = slices.Repeat([]string{"DE"}, 60_001)
	_, err := d.Records(nil)
	require.EqualError(t, err, "keys::0::expected_countries: 60001 are too many: must be at most 300")
}
