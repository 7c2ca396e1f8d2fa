package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// placeText names the flag that sets the field at a JSON pointer, or the query
// parameter, and repeats what was given with it.
func (c *connection) placeText(place string) string {
	flag := flagOf(place)
	if value, ok := givenValue(c.given, flag, place); ok {
		return flag + " " + quoted(value)
	}
	return flag
}

// flags are those that set the fields and parameters of the API, where they
// have other names.
var flags = map[string]string{
	"environment":       "env",
	"ownerId":           "owner",
	"scopes":            "scope",
	"limits":            "limit",
	"projects":          "project",
	"allowedIps":        "allow-ip",
	"expectedCountries": "expect-country",
	"expiresAt":         "expires",
	"gracePeriod":       "grace",
	"q":                 "query",
	"keyId":             "key",
	"from":              "since",
	"to":                "until",
}

// sameFlags are those that are called like their field or parameter.
const sameFlags = " name description type role preset plan status limit email target actor action outcome step endpoint state kind minutes "

func flagOf(place string) string {
	field, _, _ := strings.Cut(strings.TrimPrefix(place, "/"), "/")
	if flag, ok := flags[field]; ok {
		return "--" + flag
	}
	if strings.Contains(sameFlags, " "+field+" ") {
		return "--" + field
	}
	return place
}

// givenValue returns what the command line says for the place: of a list the
// element that the place names. Flags hold no keys; see refuseKeyArguments.
func givenValue(given *pflag.FlagSet, flag, place string) (string, bool) {
	name, isFlag := strings.CutPrefix(flag, "--")
	if given == nil || !isFlag || !given.Changed(name) {
		return "", false
	}
	list, isList := given.Lookup(name).Value.(pflag.SliceValue)
	if !isList {
		return given.Lookup(name).Value.String(), true
	}
	steps := strings.Split(place, "/")
	if len(steps) < 3 {
		return "", false
	}
	i, err := strconv.Atoi(steps[2])
	if words := list.GetSlice(); err == nil && i >= 0 && i < len(words) {
		return words[i], true
	}
	return "", false
}
