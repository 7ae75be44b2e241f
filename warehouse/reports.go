package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
)

// upsertReports writes reports column by column: thousands of rows are one
// statement of fourteen arguments. An event that was held loses its row with the
// report of its final fate, so that it is never without one of them.
const upsertReports = `
with r as (
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                       $9::text[], $10::text[], $11::int[], $12::text[], $13::timestamptz[], $14::timestamptz[])
    as r (source, message_id, destination, type, event, user_id, anonymous_id, status,
          reason, detail, attempts, calls, received_at, settled_at)),
settled as (
  delete from verobridge.held_events h using r
  where h.source = r.source and h.message_id = r.message_id and h.destination = r.destination
    and r.status not in ('held', 'waiting'))
insert into verobridge.deliveries as d (
    source, message_id, destination, type, event, user_id, anonymous_id, status,
    reason, detail, attempts, calls, received_at, settled_at)
select source, message_id, destination, type, nullif(event, ''), nullif(user_id, ''), nullif(anonymous_id, ''), status,
       reason, detail, attempts, calls::jsonb, received_at, settled_at
from r
order by source, message_id, destination
on conflict (source, message_id, destination) do update set
    type = excluded.type, event = excluded.event, user_id = excluded.user_id, anonymous_id = excluded.anonymous_id,
    status = excluded.status, reason = excluded.reason, detail = excluded.detail, attempts = excluded.attempts,
    calls = excluded.calls, received_at = excluded.received_at, settled_at = excluded.settled_at`

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
	err := l.upsert(ctx, reports)
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

// upsert writes reports in one statement.
func (l *Loader) upsert(ctx context.Context, reports []delivery.Report) error {
	texts := make([][]string, 11)
	attempts := make([]int, len(reports))
	receivedAt := make([]time.Time, len(reports))
	settledAt := make([]*time.Time, len(reports))
	for i, r := range reports {
		calls, err := callsJSON(r.Calls)
		if err != nil {
			return err
		}
		for column, s := range []string{
			r.Source, r.MessageID, r.Destination, string(r.Type), r.Event, r.UserID, r.AnonymousID,
			string(r.Status), string(r.Reason), r.Detail,
		} {
			texts[column] = append(texts[column], cleanText(s))
		}
		texts[10] = append(texts[10], calls)
		attempts[i], receivedAt[i] = r.Attempts, r.ReceivedAt
		if !r.SettledAt.IsZero() {
			settledAt[i] = &r.SettledAt
		}
	}
	_, err := l.pool.Exec(ctx, upsertReports,
		texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], texts[7], texts[8], texts[9],
		attempts, texts[10], receivedAt, settledAt)
	return err
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
