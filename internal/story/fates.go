package story

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
)

// countRows is up to where deliveries of a status are counted, the newest first.
const countRows = 20_000

// Fate counts the deliveries that ended, or wait, for one reason.
type Fate struct {
	Status      delivery.Status
	Reason      delivery.Reason
	Destination string
	Count       Count
}

// Fates counts deliveries of a time of receipt, from since on and before until;
// zero times bound nothing.
type Fates struct {
	// All is how many there are, the delivered ones included.
	All Count
	// Statuses count those that were not simply delivered.
	Statuses map[delivery.Status]Count
	// Fates are those of the statuses, by destination and reason. Of a status
	// that was not counted to its end they are its newest deliveries.
	Fates []Fate
}

// countFates counts from an index alone, each status up to its limit.
const countFates = `
	select f.status, d.reason, d.destination, count(*)
	from unnest($1::text[]) with ordinality f (status, position)
	cross join lateral (
	  select reason, destination from verobridge.deliveries
	  where status = f.status and status <> 'delivered' and received_at >= $2 and received_at < $3
	  order by received_at desc limit $4) d
	group by f.position, 1, 2, 3 order by f.position, 4 desc, 2, 3`

// Fates counts deliveries by status, reason and destination. What is delivered is
// not counted one by one.
func (s *Store) Fates(ctx context.Context, since, until time.Time) (fates Fates, err error) {
	statuses := []string{
		string(delivery.StatusDead), string(delivery.StatusAmbiguous), string(delivery.StatusWaiting),
		string(delivery.StatusHeld), string(delivery.StatusSkipped),
	}
	if until.IsZero() {
		until = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	fates.Statuses = make(map[delivery.Status]Count)
	err = s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, countFates, statuses, since, until, countRows+1)
		if err != nil {
			return err
		}
		fates.Fates, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Fate, err error) {
			return f, row.Scan(&f.Status, &f.Reason, &f.Destination, &f.Count.Rows)
		})
		if err != nil {
			return err
		}
		sums := make(map[delivery.Status]int64)
		for _, f := range fates.Fates {
			sums[f.Status] += f.Count.Rows
		}
		for status, sum := range sums {
			fates.Statuses[status] = counted(sum, countRows)
		}
		for i, f := range fates.Fates {
			fates.Fates[i].Count.Precision = fates.Statuses[f.Status].Precision
		}
		fates.All, err = countDeliveries(ctx, tx, since, until)
		return err
	})
	if err != nil {
		return Fates{}, fmt.Errorf("count deliveries: %w", err)
	}
	return fates, nil
}

// countDeliveries counts all deliveries up to the limit. Beyond that the catalog
// knows about how many there are, but not of which time.
func countDeliveries(ctx context.Context, tx pgx.Tx, since, until time.Time) (Count, error) {
	var rows int64
	err := tx.QueryRow(ctx, `select count(*) from (
		select from verobridge.deliveries where received_at >= $1 and received_at < $2 limit $3) d`,
		since, until, countRows+1).Scan(&rows)
	all := counted(rows, countRows)
	if err != nil || all.Precision == Exact || !since.IsZero() {
		return all, err
	}
	err = tx.QueryRow(ctx, "select "+estimatedRows+" from pg_class c where c.oid = 'verobridge.deliveries'::regclass").Scan(&rows)
	if rows <= all.Rows {
		return all, err
	}
	return Count{rows, About}, err
}
