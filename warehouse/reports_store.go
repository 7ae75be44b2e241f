package warehouse

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
)

// copiedReports is how many reports make it worth to copy them. Fewer are one
// statement, which takes one round trip.
const copiedReports = 200

// storeReports writes reports on different keys, or none. Nearly all are the first
// on their event and destination, so many are copied as if all were; where the
// key refuses one, they and those of the next times are upserted, as repeated
// events are looked for (known.go).
func (l *Loader) storeReports(ctx context.Context, reports []delivery.Report) error {
	switch {
	case len(reports) < copiedReports:
		return l.upsert(ctx, reports)
	case l.waryReports.Load() > 0:
		l.waryReports.Add(-1)
		return l.upsert(ctx, reports)
	}
	err := l.copyReports(ctx, reports)
	if isRepeat(err) || errors.Is(err, errStale) {
		l.waryReports.Store(wariness)
		return l.upsert(ctx, reports)
	}
	return err
}

// deliveries is the table of reports.
var deliveries = table{ownSchema, "deliveries"}

// reportColumns are its columns.
var reportColumns = texts("source", "message_id", "destination", "type", "event", "user_id", "anonymous_id", "status", "reason", "detail").
	and(columns{"attempts": "integer", "calls": typeJSONB, "received_at": typeTimestamptz, "settled_at": typeTimestamptz})

// forgetHeld deletes the rows of held events whose fate is final.
const forgetHeld = `
delete from verobridge.held_events h using unnest($1::text[], $2::text[], $3::text[]) as r (source, message_id, destination)
where h.source = r.source and h.message_id = r.message_id and h.destination = r.destination`

// copyReports copies reports straight into the table.
func (l *Loader) copyReports(ctx context.Context, reports []delivery.Report) error {
	into := newTuples(&relation{columns: reportColumns}, nil)
	sorted := slices.SortedFunc(slices.Values(reports), func(a, b delivery.Report) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.MessageID, b.MessageID), cmp.Compare(a.Destination, b.Destination))
	})
	var sources, ids, destinations []string
	for _, r := range sorted {
		cells, err := reportCells(r)
		if err != nil {
			return err
		}
		into.fit(&row{own: cells})
		into.end()
		if r.Status != delivery.StatusHeld && r.Status != delivery.StatusWaiting {
			key := keyOf(r)
			sources, ids, destinations = append(sources, key.source), append(ids, key.messageID), append(destinations, key.destination)
		}
	}
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, forgetHeld, sources, ids, destinations); err != nil {
			return err
		}
		return into.copyTo(ctx, tx, deliveries, func() {})
	})
}

// reportCells are the cells of a report's row.
func reportCells(r delivery.Report) (cells, error) {
	calls, err := callsJSON(r.Calls)
	if err != nil {
		return nil, err
	}
	c := cells{
		{"attempts", value{kind: integer, text: strconv.Itoa(r.Attempts)}},
		{"calls", value{kind: document, text: calls}},
		{"received_at", timeValue(r.ReceivedAt)},
	}
	for _, required := range []struct{ column, s string }{
		{"source", r.Source},
		{"message_id", r.MessageID},
		{"destination", r.Destination},
		{"type", string(r.Type)},
		{"status", string(r.Status)},
		{"reason", string(r.Reason)},
		{"detail", r.Detail},
	} {
		c = append(c, cell{required.column, value{kind: text, text: cleanText(required.s)}})
	}
	c.text("event", r.Event)
	c.text("user_id", r.UserID)
	c.text("anonymous_id", r.AnonymousID)
	if !r.SettledAt.IsZero() {
		c = append(c, cell{"settled_at", timeValue(r.SettledAt)})
	}
	return c, nil
}

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
