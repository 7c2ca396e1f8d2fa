package cli

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// completionTimeout is how long a shell may be held up.
const completionTimeout = time.Second

// offer lets the admin API say what can stand where a shell completes a word.
// It offers nothing where there is no answer, prints nothing, and never reads
// standard input.
func (p *program) offer(ctx context.Context, ask func(context.Context, *connection) ([]cobra.Completion, error)) ([]cobra.Completion, cobra.ShellCompDirective) {
	silent := *p
	silent.stderr = io.Discard
	silent.flags.timeout = min(p.flags.timeout, completionTimeout)
	if silent.flags.keyFile == "-" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	c, err := silent.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	words, err := ask(ctx, c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// completePlan offers the plans that there are.
func (p *program) completePlan(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return p.offer(cmd.Context(), func(ctx context.Context, c *connection) ([]cobra.Completion, error) {
		list, _, err := c.getPlans(ctx)
		var names []cobra.Completion
		for _, plan := range list.Data {
			names = append(names, printable(plan.Name))
		}
		return names, err
	})
}

// completeRecords offers ids of what fetch finds, for as many arguments, 0 for
// any number.
func completeRecords[T any](p *program, most int, fetch func(ctx context.Context, c *connection, begun string) (listing, error),
	choices func(records []T, taken []string) []cobra.Completion,
) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return p.offer(cmd.Context(), func(ctx context.Context, c *connection) ([]cobra.Completion, error) {
			page, err := fetch(ctx, c, begun)
			if err != nil {
				return nil, err
			}
			records, err := recordsOf[T](page)
			return choices(records, args), err
		})
	}
}

func (p *program) completeKeys(most int) cobra.CompletionFunc {
	return completeRecords(p, most, func(ctx context.Context, c *connection, begun string) (listing, error) {
		return c.fetchKeys(ctx, &listFlags{query: begun, pageFlags: pageFlags{limit: maxPage}})
	}, keyChoices)
}

// completeKeyFlag offers ids of keys for a flag, whatever the arguments.
func (p *program) completeKeyFlag(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return p.completeKeys(0)(cmd, nil, begun)
}

func keyChoices(keys []client.Key, taken []string) []cobra.Completion {
	var choices []cobra.Completion
	for i := range keys {
		if key := &keys[i]; key.Status != client.KeyStatusRevoked && !slices.Contains(taken, key.ID) {
			choices = append(choices, cobra.CompletionWithDesc(printable(key.ID), printable(key.Name)))
		}
	}
	return choices
}

func (p *program) completeUserIDs(most int) cobra.CompletionFunc {
	return completeRecords(p, most, func(ctx context.Context, c *connection, begun string) (listing, error) {
		return c.fetchUsers(ctx, &userListFlags{query: begun, pageFlags: pageFlags{limit: maxPage}})
	}, userChoices)
}

func userChoices(users []client.User, taken []string) []cobra.Completion {
	var choices []cobra.Completion
	for i := range users {
		if user := &users[i]; !slices.Contains(taken, user.ID) {
			choices = append(choices, cobra.CompletionWithDesc(printable(user.ID), printable(user.Name)))
		}
	}
	return choices
}

// completeUsers offers ids of users for a flag, whatever the arguments.
func (p *program) completeUsers(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return p.completeUserIDs(0)(cmd, nil, begun)
}
