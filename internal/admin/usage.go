package admin

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/usage"
)

// GetKeyUsage implements api.StrictServerInterface.
func (s *service) GetKeyUsage(ctx context.Context, request api.GetKeyUsageRequestObject) (api.GetKeyUsageResponseObject, error) {
	if _, _, err := s.visibleKey(ctx, request.ID); err != nil {
		return nil, err
	}
	p := request.Params
	view, err := s.readUsage(ctx, request.ID, p.From, p.To, value(p.Step))
	if err != nil {
		return nil, err
	}
	view.KeyID = &request.ID
	return api.GetKeyUsage200JSONResponse(view), nil
}

// GetUsage implements api.StrictServerInterface.
func (s *service) GetUsage(ctx context.Context, request api.GetUsageRequestObject) (api.GetUsageResponseObject, error) {
	if err := mayAdminister(callerIn(ctx), "read the usage of all keys"); err != nil {
		return nil, err
	}
	p := request.Params
	view, err := s.readUsage(ctx, usage.Everything, p.From, p.To, value(p.Step))
	if err != nil {
		return nil, err
	}
	return api.GetUsage200JSONResponse(view), nil
}

func (s *service) readUsage(ctx context.Context, keyID string, from, to *time.Time, step api.UsageStep) (api.Usage, error) {
	if s.usage == nil {
		return api.Usage{}, problemNoInsight()
	}
	p, err := s.periodOf(from, to, usage.Step(step))
	if err != nil {
		return api.Usage{}, err
	}
	series, err := s.usage.Read(ctx, keyID, p.from, p.to, p.step)
	if err != nil {
		return api.Usage{}, fromInsight("read usage", err)
	}
	return usageView(&series), nil
}

// period is what a caller asks the usage of.
type period struct {
	from, to time.Time
	step     usage.Step
}

// periodOf fills in what a caller has left out, and refuses what there is not.
func (s *service) periodOf(from, to *time.Time, step usage.Step) (period, error) {
	now := s.clock()
	asked := period{to: valueOr(to, throughNow(now)), step: step}
	if latest := now.Add(24 * time.Hour); asked.to.After(latest) { // there is nothing behind
		asked.to = latest
	}
	asked.from = valueOr(from, asked.to.Add(-24*time.Hour).Truncate(time.Second))
	if !asked.from.Before(asked.to) {
		return period{}, problemFields([]api.FieldError{parameterError("from", "must be before to, which is now where it is left out")})
	}
	if step == "" {
		asked.step = s.stepFor(now, asked)
	}
	kept, longest := s.usage.Bounds(asked.step)
	switch {
	case step != "" && step != usage.Day && asked.from.Before(now.Add(-kept-step.Length())):
		return period{}, problemFields([]api.FieldError{parameterError("step", "must be longer, such as 1h or 1d: buckets of "+string(step)+" are kept for "+limit.Window(kept).String())})
	case asked.to.Sub(asked.from) > longest:
		return period{}, problemFields([]api.FieldError{parameterError("from", "must be nearer to to, or step longer: a series has at most "+strconv.Itoa(int(longest/asked.step.Length()))+" buckets of "+string(asked.step))})
	}
	return asked, nil
}

// throughNow is the end of a span that holds the bucket of now, even where that
// has just begun.
func throughNow(now time.Time) time.Time { return now.Add(time.Microsecond) }

// stepFor is the shortest step that makes a readable series and is kept for all
// of the span.
func (s *service) stepFor(now time.Time, asked period) usage.Step {
	length, age := asked.to.Sub(asked.from).Truncate(time.Minute), now.Sub(asked.from).Truncate(time.Minute)
	for _, choice := range []struct {
		step     usage.Step
		readable time.Duration
	}{{usage.Minute, 3 * time.Hour}, {usage.Hour, 7 * 24 * time.Hour}} {
		if kept, _ := s.usage.Bounds(choice.step); length <= choice.readable && age <= kept {
			return choice.step
		}
	}
	return usage.Day
}

func usageView(series *usage.Series) api.Usage {
	sum := series.Sum()
	total := sum.Total()
	view := api.Usage{
		From: series.From, To: series.To, Step: api.UsageStep(series.Step),
		Totals: countsView(&total), ErrorRate: total.ErrorRate(), Refusals: refusalsView(total.Refused),
		ByEndpoint: endpointsView(sum.Endpoints), ByCountry: countriesView(sum.Countries),
		Buckets: make([]api.UsageBucket, 0, len(series.Buckets)),
	}
	for i := range series.Buckets {
		b := &series.Buckets[i]
		counts := b.Total()
		view.Buckets = append(view.Buckets, api.UsageBucket{Start: b.Start, Counts: countsView(&counts)})
	}
	return view
}

func countsView(c *usage.Counts) api.UsageCounts {
	return api.UsageCounts{
		Requests: c.Requests, Accepted: c.Accepted(), Refused: c.AllRefused(), Failed: c.Failed,
		Items: c.Items, RefusedItems: c.RefusedItems, Bytes: c.Bytes,
	}
}

func refusalsView(refused map[string]int64) api.Refusals {
	if refused == nil {
		return api.Refusals{}
	}
	return refused
}

func endpointsView(endpoints map[string]*usage.Counts) []api.UsageByEndpoint {
	view := make([]api.UsageByEndpoint, 0, len(endpoints))
	for _, name := range slices.Sorted(maps.Keys(endpoints)) {
		c := endpoints[name]
		view = append(view, api.UsageByEndpoint{Endpoint: name, Counts: countsView(c), Refusals: refusalsView(c.Refused)})
	}
	slices.SortStableFunc(view, func(a, b api.UsageByEndpoint) int { return cmp.Compare(b.Counts.Requests, a.Counts.Requests) })
	return view
}

func countriesView(countries map[string]*usage.CountryCounts) []api.UsageByCountry {
	view := make([]api.UsageByCountry, 0, len(countries))
	for _, name := range slices.Sorted(maps.Keys(countries)) {
		c := countries[name]
		view = append(view, api.UsageByCountry{Country: name, Requests: c.Requests, Errors: c.Errors})
	}
	slices.SortStableFunc(view, func(a, b api.UsageByCountry) int { return cmp.Compare(b.Requests, a.Requests) })
	return view
}

// defaultTopMinutes is the default of the document.
const defaultTopMinutes = 5

// GetTopUsage implements api.StrictServerInterface.
func (s *service) GetTopUsage(ctx context.Context, request api.GetTopUsageRequestObject) (api.GetTopUsageResponseObject, error) {
	if err := mayAdminister(callerIn(ctx), "see which keys are used most"); err != nil {
		return nil, err
	}
	if s.usage == nil || s.accessLog == nil {
		return nil, problemNoInsight()
	}
	to := s.clock().UTC()
	from := to.Truncate(time.Minute).Add(-time.Duration(valueOr(request.Params.Minutes, defaultTopMinutes)-1) * time.Minute)
	busy, err := s.usage.Busy(ctx, from, throughNow(to))
	if err != nil {
		return nil, fromInsight("read the usage of the last minutes", err)
	}
	total, strangers := busy[usage.Everything], busy[usage.Strangers]
	delete(busy, usage.Everything)
	delete(busy, usage.Strangers)
	view := api.TopUsage{
		From: from, To: to, Keys: len(busy), Total: countsView(&total), Strangers: countsView(&strangers),
		DroppedLines: s.accessLog.Dropped(), Data: []api.TopKey{},
	}
	ids := slices.SortedFunc(maps.Keys(busy), func(a, b string) int {
		return cmp.Or(cmp.Compare(busy[b].Requests, busy[a].Requests), cmp.Compare(a, b))
	})
	for _, id := range ids[:min(len(ids), store.Page{Limit: value(request.Params.Limit)}.Size())] {
		counts := busy[id]
		row, err := s.topKey(ctx, id, &counts)
		if err != nil {
			return nil, err
		}
		view.Data = append(view.Data, row)
	}
	return api.GetTopUsage200JSONResponse(view), nil
}

func (s *service) topKey(ctx context.Context, id string, counts *usage.Counts) (api.TopKey, error) {
	row := api.TopKey{KeyID: id, Counts: countsView(counts), ErrorRate: counts.ErrorRate(), Refusals: refusalsView(counts.Refused)}
	key, err := s.store.Key(ctx, id)
	if errors.Is(err, store.ErrNotFound) { // restored from a backup of before
		return row, nil
	}
	if err != nil {
		return row, fromStore("read key", err)
	}
	row.Name, row.Type, row.OwnerID, row.Hint = &key.Name, &key.Type, orNull(key.OwnerID), orNull(key.Hint())
	var view api.Key
	s.showQuotas(ctx, &view, &key)
	row.Concurrency = view.Concurrency
	for i := range view.Quotas {
		if q := &view.Quotas[i]; row.Quota == nil || left(q) < left(row.Quota) {
			row.Quota = q
		}
	}
	return row, nil
}

// left is the part of a limit that is left.
func left(q *api.Quota) float64 { return float64(q.Remaining) / float64(max(q.Max, 1)) }
