//go:build race

package apikeyauthextension

// raceEnabled says that the race detector adds allocations of its own.
const raceEnabled = true
