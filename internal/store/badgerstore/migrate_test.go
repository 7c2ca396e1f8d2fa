package badgerstore

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

func TestMigrations(t *testing.T) {
	directory := newDirectory(t)
	s := openIn(t, directory)
	create(t, s, 1)
	require.NoError(t, s.Close())
	var ran []string
	step := func(name string, err error) migration {
		return func(context.Context, *Store) error { ran = append(ran, name); return err }
	}
	with := func(steps ...migration) (*Store, error) {
		return open(t.Context(), Options{Directory: directory}, append([]migration{step("of old", nil)}, steps...))
	}

	_, err := with(step("one", nil), step("broken", errFull))
	require.ErrorIs(t, err, errFull)
	require.ErrorContains(t, err, "from schema version 3 to 4")
	require.Equal(t, []string{"one", "broken"}, ran)

	ran = nil
	s, err = with(step("one", nil), step("two", nil))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Equal(t, []string{"two"}, ran, "a step that is done is not repeated, one that failed is")

	_, err = Open(t.Context(), Options{Directory: directory})
	require.ErrorContains(t, err, "has schema version 4, this release knows up to 2")
}

func TestNewStoresNeedNoMigration(t *testing.T) {
	s, err := open(t.Context(), Options{Directory: newDirectory(t)}, []migration{
		func(context.Context, *Store) error { return errFull },
	})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// TestDamagedStoresAreNotMigrated: what may yet be saved must be left as it is.
func TestDamagedStoresAreNotMigrated(t *testing.T) {
	directory := newDirectory(t)
	s := openIn(t, directory)
	create(t, s, 1)
	plant(t, s, func(c *change) { c.put(changeKey, []byte{0, 0, 0, 0, 0, 0, 0, 5}) })
	require.NoError(t, s.Close())
	_, err := open(t.Context(), Options{Directory: directory}, append(migrations, func(context.Context, *Store) error {
		t.Error("a damaged store is migrated")
		return nil
	}))
	require.ErrorIs(t, err, ErrDamaged)
}

// TestLostSchemaVersionIsDamage: a store with records is none that is new.
func TestLostSchemaVersionIsDamage(t *testing.T) {
	directory := newDirectory(t)
	s := openIn(t, directory)
	create(t, s, 1)
	require.NoError(t, badgerdb.Guard(func() error { return s.db.DropPrefix(schemaKey) }))
	require.NoError(t, s.Close())
	for range 2 {
		_, err := Open(t.Context(), Options{Directory: directory})
		require.ErrorIs(t, err, ErrDamaged)
		require.ErrorContains(t, err, "the schema version is missing")
	}
}
