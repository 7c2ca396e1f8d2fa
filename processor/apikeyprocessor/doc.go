// Package apikeyprocessor is the apikey processor: it checks what the
// request's API key may send and tags the telemetry with the key's identity.
package apikeyprocessor

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
