package warehouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// misfitsOf returns the columns that could not hold a value.
func misfitsOf(losses []loss) map[string]bool {
	misfits := make(map[string]bool)
	for _, d := range losses {
		if d.reason == lostMisfit {
			misfits[d.column] = true
		}
	}
	return misfits
}

// emptyMisfits makes null what cannot hold what the latest calls say. A column of
// somebody else's that must not be null keeps what it has, and so does one that
// the loader never writes.
func (in *insertion) emptyMisfits(ctx context.Context, p *part, latest []*state) error {
	rows := make(map[string][]*row) // by column
	for _, s := range latest {
		for column := range s.misfits {
			rows[column] = append(rows[column], s.row)
		}
	}
	for _, column := range slices.Sorted(maps.Keys(rows)) {
		if f, _ := p.rel.form(column); f.codec.cast == nil {
			continue
		}
		if err := in.empty(ctx, p, column, rows[column]); err != nil {
			return err
		}
	}
	return nil
}

// empty makes a column null in some rows, but for those in which Postgres does
// not allow it: a CHECK, for one, may ask for a value. These are found by halving.
func (in *insertion) empty(ctx context.Context, p *part, column string, rows []*row) error {
	err := pgx.BeginFunc(ctx, in.tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, fmt.Sprintf(`update %s set %s = null where id = any($1::text[]::%s[])
			and not exists (select from pg_attribute where attrelid = $2::text::regclass and attname = $3 and attnotnull)`,
			p.table.quoted(), quoteName(column), p.rel.columns["id"]), keys(rows, p.rel), p.table.quoted(), column)
		return err
	})
	switch {
	case !isOfValues(err):
		return err
	case len(rows) == 1:
		return nil
	}
	half := len(rows) / 2
	if err := in.empty(ctx, p, column, rows[:half]); err != nil {
		return err
	}
	return in.empty(ctx, p, column, rows[half:])
}

// leaveEmpty removes from older calls what would fill a column that is empty
// because it could not hold what a later call said.
func (in *insertion) leaveEmpty(ctx context.Context, p *part, older []*state) error {
	if len(older) == 0 {
		return nil
	}
	byID := make(map[string][]*state, len(older))
	for _, s := range older {
		byID[s.row.id] = append(byID[s.row.id], s)
	}
	discards := table{p.table.schema, in.shape.discards}
	rows, err := in.tx.Query(ctx, fmt.Sprintf(`select row_id, column_name, max(received_at) from %s
		where table_name = $1 and row_id = any($2) and reason = $3 and column_name is not null and received_at is not null
		group by 1, 2`, discards.quoted()), p.table.name, slices.Collect(maps.Keys(byID)), lostMisfit)
	if err == nil {
		var id, column string
		var at time.Time
		_, err = pgx.ForEachRow(rows, []any{&id, &column, &at}, func() error {
			for _, s := range byID[id] {
				if at.After(s.row.receivedAt) {
					delete(s.inputs, column)
				}
			}
			return nil
		})
	}
	if err != nil {
		return &tableError{discards, err}
	}
	return nil
}
