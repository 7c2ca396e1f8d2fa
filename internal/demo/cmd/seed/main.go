// Command seed makes a storage directory that looks like the real life of a
// company; see package demo.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/otlpgate/otlpgate/internal/demo"
)

// adminKeyVariable names the environment variable of the administrator's key: on
// the command line others could see it.
const adminKeyVariable = "DEMO_ADMIN_KEY"

func main() {
	ctx, end := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer end()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		end()
		os.Exit(1) //nolint:gocritic // end has been called
	}
}

func run(ctx context.Context) error {
	o := demo.Options{AdminKey: os.Getenv(adminKeyVariable), Progress: os.Stderr}
	flag.StringVar(&o.Directory, "directory", "build/demo-data", "the `directory` to make; it must be empty, or not exist")
	flag.Uint64Var(&o.Seed, "seed", 0, "makes one past differ from another")
	flag.IntVar(&o.Keys, "keys", 0, "how many keys there are at least")
	flag.IntVar(&o.UsageKeys, "usage-keys", 0, "how many keys have usage (default: all that send)")
	flag.IntVar(&o.Days, "days", demo.DefaultDays, "for how many days keys have been used")
	flag.Parse()
	summary, err := demo.Seed(ctx, o)
	if err == nil {
		summary.Print(os.Stderr)
	}
	return err
}
