package cli

import "github.com/spf13/cobra"

func (p *program) auditCommand() *cobra.Command {
	audit := group(&cobra.Command{
		Use:   "audit",
		Short: "read the audit log, and verify that nobody changed it",
	})
	audit.AddCommand(p.auditListCommand(), p.auditVerifyCommand())
	return audit
}
