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

// completeKeys offers ids of keys for as many arguments, 0 for any number.
func (p *program) completeKeys(most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return p.offer(cmd.Context(), func(ctx context.Context, c *connection) ([]cobra.Completion, error) {
			page, err := c.fetchKeys(ctx, &listFlags{query: begun, pageFlags: pageFlags{limit: maxPage}})
			if err != nil {
				return nil, err
			}
			keys, err := recordsOf[client.Key](page)
			return keyChoices(keys, args), err
		})
	}
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

// completeUserIDs is completeKeys for users.
func (p *program) completeUserIDs(most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return p.offer(cmd.Context(), func(ctx context.Context, c *connection) ([]cobra.Completion, error) {
			page, err := c.fetchUsers(ctx, &userListFlags{query: begun, pageFlags: pageFlags{limit: maxPage}})
			if err != nil {
				return nil, err
			}
			users, err := recordsOf[client.User](page)
			return userChoices(users, args), err
		})
	}
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
