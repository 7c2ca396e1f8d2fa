package cli

import (
	"fmt"
	"strings"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// showApplied prints what was changed, or would be, and counts it.
func (p *program) showApplied(r *client.ApplyResult) error {
	colored := p.colored()
	var b strings.Builder
	for i := range r.Changes {
		b.WriteString(changeLine(&r.Changes[i], colored) + "\n")
	}
	b.WriteString(appliedSummary(r) + "\n")
	if err := p.print(b.String()); err != nil {
		return err
	}
	if len(r.Kept) > 0 {
		p.note("%s of the collector's configuration, which the file does not name, stay as they are: %s",
			counted(len(r.Kept), "record"), someOf(r.Kept))
	}
	return nil
}

// someOf lists the first ids of many.
func someOf(ids []string) string {
	const shown = 5
	text := strings.Join(ids[:min(shown, len(ids))], ", ")
	if more := len(ids) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// changeLine is a change in the manner of diff.
func changeLine(c *client.AppliedChange, colored bool) string {
	record := printable(string(c.Kind)) + " " + printable(c.Name) + " (" + printable(c.ID) + ")"
	switch c.Action {
	case client.AppliedChangeActionCreate:
		return paint("+ "+record, green, colored)
	case client.AppliedChangeActionRestore:
		return paint("+ "+record+"  restored"+fieldChanges(c), green, colored)
	case client.AppliedChangeActionWithdraw:
		return paint("- "+record+"  withdrawn", red, colored)
	case client.AppliedChangeActionUpdate:
	}
	return paint("~ "+record+fieldChanges(c), yellow, colored)
}

func fieldChanges(c *client.AppliedChange) string {
	if len(c.Fields) == 0 {
		return ""
	}
	return "  " + strings.Join(changeTexts(c.Fields), ", ")
}

func appliedSummary(r *client.ApplyResult) string {
	count := map[client.AppliedChangeAction]int{}
	for i := range r.Changes {
		count[r.Changes[i].Action]++
	}
	would := ""
	if r.DryRun {
		would = "would be: "
	}
	parts := []string{
		fmt.Sprintf("%s%d created", would, count[client.AppliedChangeActionCreate]),
		fmt.Sprintf("%d changed", count[client.AppliedChangeActionUpdate]),
	}
	if n := count[client.AppliedChangeActionRestore]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d restored", n))
	}
	return strings.Join(append(parts, fmt.Sprintf("%d withdrawn", count[client.AppliedChangeActionWithdraw]), fmt.Sprintf("%d unchanged", r.Unchanged)), ", ")
}
