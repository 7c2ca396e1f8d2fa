package badgerstore

import (
	"context"
	"encoding/binary"
	"fmt"
)

// checkHistory returns the number of the newest change after checking that
// none is missing: every change has left an audit record, so a lost table or
// log shows as a gap, and a lost end as a number below the watermark.
func (s *Store) checkHistory(ctx context.Context) (uint64, error) {
	mark, err := readWatermark(s.directory)
	if err != nil {
		s.logger.Warn("cannot tell whether the newest changes are missing: " + err.Error())
	}
	var change uint64
	err = s.viewing(func(v *snapshot) (err error) {
		if change, err = v.number(changeKey); err != nil {
			return err
		}
		return v.checkAudit(ctx, change)
	})
	if err != nil {
		return 0, err
	}
	if change < mark {
		return 0, damaged(s.directory, fmt.Errorf("changes %d to %d, which were acknowledged, are missing", change+1, mark))
	}
	return change, nil
}

// viewing is view for a store that is not open yet.
func (s *Store) viewing(read func(*snapshot) error) error {
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	return read(&snapshot{s, txn})
}

// checkAudit checks that the audit records are those of changes 1 to newest.
func (v *snapshot) checkAudit(ctx context.Context, newest uint64) error {
	var last uint64
	err := v.walk(ctx, scan{prefix: []byte{auditFamily}}, func(suffix, _ []byte) (bool, error) {
		seq := binary.BigEndian.Uint64(suffix)
		if seq != last+1 {
			return false, damaged(v.store.directory, fmt.Errorf("the record of change %d is missing", last+1))
		}
		last = seq
		return true, nil
	})
	if err == nil && last != newest {
		err = damaged(v.store.directory, fmt.Errorf("the newest change is recorded as both %d and %d", last, newest))
	}
	return err
}
