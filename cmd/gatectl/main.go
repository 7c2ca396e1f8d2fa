// Command gatectl manages the API keys of otlpgate from the command line. It
// is a client of the admin API.
package main

//go:generate go run ./internal/mangen ../../docs/man

import (
	"os"

	"github.com/otlpgate/otlpgate/cmd/gatectl/internal/cli"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version string

func main() { os.Exit(cli.Main(version)) }
