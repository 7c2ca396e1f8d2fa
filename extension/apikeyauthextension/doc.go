// Package apikeyauthextension is the apikeyauth extension: it authenticates
// OTLP ingest by API key, shapes the refusals, owns the keys and serves their
// admin API. It is the only package that chooses backends.
package apikeyauthextension

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
