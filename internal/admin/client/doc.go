// Package client is the typed client of the admin API, generated from its
// OpenAPI document. gatectl and the tests of the server use it.
package client

//go:generate go tool -modfile=../../tools/go.mod oapi-codegen -config client.cfg.yaml ../api/openapi.yaml
