package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// importWidth is how many calls are under way at once.
const importWidth = 8

// importer sends rows to the admin API.
type importer struct {
	c    *connection
	path string
	rows []importRow

	mutex   sync.Mutex
	refused []rowError // by line
	there   int        // rows whose key is there already
	made    int
}

// findOwners puts ids in place of emails.
func (i *importer) findOwners(ctx context.Context) error {
	found := map[string]string{}
	var errs []rowError
	for n := range i.rows {
		row := &i.rows[n]
		if row.key.OwnerID == nil || !strings.Contains(*row.key.OwnerID, "@") {
			continue
		}
		email := strings.ToLower(*row.key.OwnerID)
		id, known := found[email]
		if !known {
			var err error
			if id, err = i.c.userByEmail(ctx, email); err != nil {
				return err
			}
			found[email] = id
		}
		if id == "" {
			errs = append(errs, rowError{row.line, row.column("ownerId") + " " + quoted(*row.key.OwnerID) + ": no user has this email; create one with `gatectl users create`"})
			continue
		}
		row.key.OwnerID = &id
	}
	return rowsFailure(i.path, errs)
}

// userByEmail returns the id of the user, empty where there is none.
func (c *connection) userByEmail(ctx context.Context, email string) (id string, err error) {
	var page listing
	err = patiently(ctx, nil, func() (err error) {
		page, err = c.fetchUsers(ctx, &userListFlags{query: email, pageFlags: pageFlags{all: true}})
		return err
	})
	if err != nil {
		return "", err
	}
	users, err := recordsOf[client.User](page)
	if err != nil {
		return "", err
	}
	for i := range users {
		if users[i].Email != nil && strings.EqualFold(*users[i].Email, email) {
			return users[i].ID, nil
		}
	}
	return "", nil
}

// each works on all rows, some at once, until one fails for a reason that is
// not the row's own.
func (i *importer) each(ctx context.Context, show *progress, work func(context.Context, *progress, *importRow) error) error {
	show.unit = "keys"
	show.setTotal(uint64(len(i.rows)))
	defer show.clear()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(importWidth)
	for n := range i.rows {
		if ctx.Err() != nil {
			break
		}
		row := &i.rows[n]
		group.Go(func() error {
			err := work(ctx, show, row)
			show.addRecord()
			return err
		})
	}
	err := group.Wait()
	slices.SortFunc(i.refused, func(a, b rowError) int { return cmp.Compare(a.line, b.line) })
	return err
}

// check asks the server what it would say of the row.
func (i *importer) check(ctx context.Context, show *progress, row *importRow) error {
	err := i.send(ctx, show, row, true)
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		return nil
	case ok && e.Code == "already_exists":
		i.markThere(row)
		return nil
	case ok && ofTheRow(e):
		i.mutex.Lock()
		defer i.mutex.Unlock()
		i.refused = append(i.refused, rowError{row.line, problemText(e, row.placeText)})
		return nil
	}
	return err
}

// ofTheRow reports whether the server refused the row and not the caller.
func ofTheRow(e *client.Error) bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		return true
	}
	return e.Code == "exceeds_caller"
}

func (i *importer) markThere(row *importRow) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	row.there = true
	i.there++
}

// create sends a row for good, unless its key is there.
func (i *importer) create(ctx context.Context, show *progress, row *importRow) error {
	if row.there {
		return nil
	}
	err := i.send(ctx, show, row, false)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == "already_exists" {
		i.markThere(row) // since the check
		return nil
	}
	if err == nil {
		i.mutex.Lock()
		defer i.mutex.Unlock()
		i.made++
	}
	return err
}

func (i *importer) send(ctx context.Context, show *progress, row *importRow, dryRun bool) error {
	operation := "import " + i.path + ": line " + strconv.Itoa(row.line)
	return patiently(ctx, show.wait, func() error {
		return i.c.once(ctx, func(id string) error {
			params := &client.CreateKeyParams{IdempotencyKey: &id}
			if dryRun {
				params = &client.CreateKeyParams{DryRun: &dryRun}
			}
			answer, err := i.c.api.CreateKey(ctx, params, row.key) //nolint:bodyclose // result closes it
			_, body, err := result[client.Key](i.c, operation, answer, err)
			row.answer = body
			return err
		})
	})
}

// imported says how far an import has come that broke off.
func (i *importer) imported(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	return refuse("run it again to import the rest; keys that are there already are left as they are",
		"imported %d of %s: %s", i.made, counted(len(i.rows)-i.there, "key"), text)
}

// answers are those of the server to rows whose keys were not there.
func (i *importer) answers() []json.RawMessage {
	answers := []json.RawMessage{}
	for n := range i.rows {
		if !i.rows[n].there {
			answers = append(answers, i.rows[n].answer)
		}
	}
	return answers
}
