package apikeyprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otlpgate/otlpgate/internal/identity"
)

func (p *apiKeyProcessor) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	g, err := p.enter(ctx, identity.Logs, ld.LogRecordCount())
	if err != nil {
		return ld, err
	}
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool { return g.refuses(rl.Resource()) })
	if err := g.checkProjects(ld.LogRecordCount()); err != nil {
		return ld, err
	}
	if err := g.spend(g.items, func() int { return new(plog.ProtoMarshaler).LogsSize(ld) }); err != nil {
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
