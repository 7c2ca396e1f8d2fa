package badgerstore

import (
	"context"
	"fmt"

	"github.com/otlpgate/otlpgate/internal/store"
)

// AppendAudit implements store.AuditLog.
func (s *Store) AppendAudit(ctx context.Context, audit store.Audit) (store.Audit, error) {
	var appended store.Audit
	err := s.write(ctx, func(c *change) (err error) {
		appended, err = c.appendAudit(audit)
		return err
	})
	if err != nil {
		return store.Audit{}, fmt.Errorf("append audit record %q: %w", audit.Action, err)
	}
	return appended, nil
}

// putAudit stages the audit record of a change of the record with that id.
func (c *change) putAudit(id string, audit store.Audit) error {
	audit.Target = id
	_, err := c.appendAudit(audit)
	return err
}

// appendAudit stages the audit record of the change, of which there is one, and
// returns it as it is kept.
func (c *change) appendAudit(audit store.Audit) (store.Audit, error) {
	audit.Seq = c.number
	audit, err := chained(audit, c.head)
	if err != nil {
		return store.Audit{}, err
	}
	c.listAudit(&audit)
	if err := c.putRecord(auditKey(audit.Seq), &audit); err != nil {
		return store.Audit{}, err
	}
	c.head = audit.Hash
	return audit, nil
}

func (c *change) listAudit(audit *store.Audit) {
	if audit.Target != "" {
		c.list(join(targetPrefix(audit.Target), auditKey(audit.Seq)[1:]))
	}
}
