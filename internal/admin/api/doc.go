// Package api is the contract of the admin API: its OpenAPI document and the
// server's types, generated from it.
package api

import _ "embed"

//go:generate go tool -modfile=../../tools/go.mod oapi-codegen -config server.cfg.yaml openapi.yaml

// Document is the OpenAPI 3.0 document, as YAML. Read only.
//
//go:embed openapi.yaml
var Document []byte

// BasePath precedes every path of the document, but for the probes.
const BasePath = "/api/v1"
