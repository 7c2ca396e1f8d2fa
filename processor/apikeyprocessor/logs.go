package apikeyprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otlpgate/otlpgate/internal/identity"
)

func (p *apiKeyProcessor) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	n := ld.LogRecordCount()
	g, err := p.enter(ctx, identity.Logs, n, n)
	if err != nil {
		return ld, err
	}
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool { return g.refuses(rl.Resource()) })
	n = ld.LogRecordCount()
	if err := g.checkProjects(n, n); err != nil {
		return ld, err
	}
	if err := g.spend(func() int { return new(plog.ProtoMarshaler).LogsSize(ld) }); err != nil {
		return ld, err
	}
	for _, rl := range ld.ResourceLogs().All() {
		g.cleanResource(rl.Resource().Attributes())
		for _, sl := range rl.ScopeLogs().All() {
			g.clean(sl.Scope().Attributes())
			for _, record := range sl.LogRecords().All() {
				g.cleanRecord(record.Attributes())
			}
		}
	}
	g.leave()
	return ld, nil
}
