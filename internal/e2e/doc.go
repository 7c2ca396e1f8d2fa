// Package e2e drives the real bin/otlpgate with real OTLP exporters. It holds
// tests alone; `make test` builds the binaries that they need.
package e2e
