package badgerstore

import (
	"github.com/otlpgate/otlpgate/internal/store"
)

// putAudit stages the audit record of a change.
func (c *change) putAudit(audit store.Audit) error {
	audit, err := audit.Normal()
	if err != nil {
		return err
	}
	audit.Seq = c.number
	c.listAudit(&audit)
	return c.putRecord(auditKey(audit.Seq), &audit)
}

func (c *change) listAudit(audit *store.Audit) {
	c.list(join(targetPrefix(audit.Target), auditKey(audit.Seq)[1:]))
}
