package web

import (
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/otlpgate/otlpgate/internal/access"
)

var regions = display.English.Regions()

// countryName returns the English name of a country, and the code itself where
// there is none.
func countryName(code string) string {
	if code == access.UnknownCountry {
		return "Unknown"
	}
	region, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	if name := regions.Name(region); name != "" {
		return name
	}
	return code
}
