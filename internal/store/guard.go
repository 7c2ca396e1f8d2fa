package store

import "context"

type guardKey struct{}

// Guarded returns a context whose writes are made only if check returns nil at
// their turn. Backends ask it in the order in which they make writes, so that a
// write whose author has lost its rights is not made behind the one that took
// them away. Check must be fast, must not write to the store, and may be called
// more than once.
func Guarded(ctx context.Context, check func(context.Context) error) context.Context {
	return context.WithValue(ctx, guardKey{}, check)
}

// Unguarded returns ctx without the check of Guarded.
func Unguarded(ctx context.Context) context.Context {
	return context.WithValue(ctx, guardKey{}, (func(context.Context) error)(nil))
}

// Check asks the context whether a write may be made now. It returns the end of
// the context, else what the check of Guarded returns.
func Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if check, _ := ctx.Value(guardKey{}).(func(context.Context) error); check != nil {
		return check(ctx)
	}
	return nil
}
