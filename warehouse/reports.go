package warehouse

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/verobridge/verobridge/internal/delivery"
)

// reportKey is what a row of verobridge.deliveries is about.
type reportKey struct{ source, messageID, destination string }

func keyOf(r delivery.Report) reportKey {
	return reportKey{cleanText(r.Source), cleanText(r.MessageID), cleanText(r.Destination)}
}

// WriteReports writes what became of events into verobridge.deliveries. A
// report replaces an earlier one on the same event and destination, in the
// database and in the slice. It is safe to repeat; an error means that the same
// reports should be written again later. A report that Postgres refuses by
// itself is written without its calls, so that it never stands in the way of
// the others.
func (l *Loader) WriteReports(ctx context.Context, reports []delivery.Report) error {
	if len(reports) == 0 {
		return nil
	}
	if err := l.Prepare(ctx); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	last := make(map[reportKey]int, len(reports))
	for i, r := range reports {
		last[keyOf(r)] = i
	}
	current := make([]delivery.Report, 0, len(last))
	for i, r := range reports {
		if last[keyOf(r)] == i {
			current = append(current, r)
		}
	}
	if err := l.writeReports(ctx, current); err != nil {
		if isGone(sqlState(err)) {
			l.prepared.Store(false)
		}
		return fmt.Errorf("write reports: %w", err)
	}
	return nil
}

// writeReports writes reports on different keys. Those that are refused for
// what they say are found by halving, and those that take too long together are
// halved, too.
func (l *Loader) writeReports(ctx context.Context, reports []delivery.Report) error {
	err := l.storeReports(ctx, reports)
	switch {
	case err == nil:
		return nil
	case len(reports) > 1 && (isOfValues(err) || sqlState(err) == queryCanceled):
		half := len(reports) / 2
		if err := l.writeReports(ctx, reports[:half]); err != nil {
			return err
		}
		return l.writeReports(ctx, reports[half:])
	case !isOfValues(err):
		return err
	case reports[0].Calls != nil:
		r := reports[0]
		r.Calls = nil
		r.Detail += fmt.Sprintf(" (its calls are not shown: Postgres refused them with SQLSTATE %s)", sqlState(err))
		return l.writeReports(ctx, []delivery.Report{r})
	default:
		// The words of the error may quote what a person sent.
		l.logger.ErrorContext(ctx, "a delivery report is refused by Postgres and left out",
			"source", reports[0].Source, "destination", reports[0].Destination, "sqlstate", sqlState(err))
		return nil
	}
}

// callsJSON writes calls so that jsonb takes them. A request that is no JSON is
// kept as a string.
func callsJSON(calls []delivery.Call) (string, error) {
	valid := make([]delivery.Call, len(calls))
	for i, c := range calls {
		if len(c.Request) > 0 && !json.Valid(c.Request) {
			c.Request = json.RawMessage(quote(string(c.Request)))
		}
		valid[i] = c
	}
	raw, err := json.Marshal(valid)
	if err != nil {
		return "", fmt.Errorf("write calls as JSON: %w", err)
	}
	return cleanJSON(string(raw)), nil
}
