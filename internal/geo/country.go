package geo

// country is an ISO 3166-1 alpha-2 code as a number, so that answers need no
// memory of their own.
type country uint16

const (
	letters = 'Z' - 'A' + 1
	unknown = country(letters*letters - 1) // ZZ
)

// codes are all of them one after the other: AAABAC…ZZ.
var codes = func() string {
	all := make([]byte, 0, 2*letters*letters)
	for a := byte('A'); a <= 'Z'; a++ {
		for b := byte('A'); b <= 'Z'; b++ {
			all = append(all, a, b)
		}
	}
	return string(all)
}()

func (c country) String() string { return codes[2*c : 2*c+2] }

// parseCountry reads two letters in any case; everything else is unknown, such as
// "-" and the names of countries.
func parseCountry(s string) country {
	if len(s) != 2 {
		return unknown
	}
	a, b := s[0]&^0x20-'A', s[1]&^0x20-'A' // in upper case
	if a >= letters || b >= letters {
		return unknown
	}
	return country(a)*letters + country(b)
}
