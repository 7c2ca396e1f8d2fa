// Package badgerdb is what the backends that keep things in Badger share: its
// tuning, the lock of a directory, and guards against the ways in which it takes
// damage.
package badgerdb

import (
	"fmt"
	"runtime/debug"
)

// Guard runs a call into Badger and turns its panic, or the fault of a memory map
// whose file was cut short, into an error. It cannot help where Badger panics in a
// goroutine of its own: the process dies, and a look at the files at the next start
// says why.
func Guard(call func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("badger: %v", r)
		}
	}()
	return call()
}
