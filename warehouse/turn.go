package warehouse

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// turns is the table that loads take their turns by.
var turns = table{ownSchema, "loads"}

// turnSQL moves the clocks of schemas on. The rows stay locked until the
// transaction ends.
const turnSQL = `
insert into verobridge.loads as l (schema, uuid_ts)
select schema, $2::timestamptz from unnest($1::text[]) schema order by schema
on conflict (schema) do update set uuid_ts = greatest(excluded.uuid_ts, l.uuid_ts + interval '1 microsecond')
returning schema, uuid_ts`

// takeTurn waits until no other load writes into the schemas, and returns the
// uuid_ts of this one in each of them: now, and later than that of all loads
// before, by whichever loader and whatever its clock says. Incremental models
// read on from the latest uuid_ts they know, so it must grow in the order in
// which rows become visible.
func takeTurn(ctx context.Context, tx pgx.Tx, schemas []string, now time.Time) (map[string]time.Time, error) {
	stamps := make(map[string]time.Time, len(schemas))
	rows, err := tx.Query(ctx, turnSQL, schemas, now.UTC().Truncate(time.Microsecond))
	if err == nil {
		var schema string
		var stamp time.Time
		_, err = pgx.ForEachRow(rows, []any{&schema, &stamp}, func() error {
			stamps[schema] = stamp
			return nil
		})
	}
	if err != nil {
		return nil, &tableError{turns, err}
	}
	return stamps, nil
}
