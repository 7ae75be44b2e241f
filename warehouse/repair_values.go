package warehouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tidwall/gjson"
)

// repairBatch is how many values are put in or set aside in one statement.
const repairBatch = 5000

// discarded reads a value as discards keeps it: as text, whatever it was.
func discarded(text string) value {
	if text == "true" || text == "false" {
		return value{kind: boolean, text: text}
	}
	v := textValue(text)
	switch {
	case v.isNumber():
		return value{kind: kindOfNumber(text), text: text}
	case strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{"):
		if gjson.Valid(text) {
			v.kind = document
		}
	}
	return v
}

// eachDiscard calls a function for each value that did not fit the column, the
// latest first. Those that lost their place to another key were never its own.
func (r *repair) eachDiscard(ctx context.Context, db querier, each func(place, id, text string)) error {
	rows, err := db.Query(ctx, fmt.Sprintf(`select ctid::text, row_id, column_value from %s
		where table_name = $1 and column_name = $2 and row_id is not null and column_value is not null and coalesce(reason, '') <> all($3)
		order by received_at desc nulls last`, r.discards.quoted()), r.Table, r.Column, unrepairable)
	if err == nil {
		var place, id, text string
		_, err = pgx.ForEachRow(rows, []any{&place, &id, &text}, func() error {
			each(place, id, text)
			return nil
		})
	}
	if isGone(sqlState(err)) {
		return nil // nothing was ever discarded
	}
	if err != nil {
		return fmt.Errorf("read %s.%s: %w", r.Schema, r.discards.name, err)
	}
	return nil
}

// suggest returns the narrowest type that holds what the column holds and what
// did not fit. It is the one that it has, where that takes all.
func (r *repair) suggest(ctx context.Context, current columnType) (columnType, error) {
	suggested, enough := sourceColumn{typ: current}.adopted(), true
	err := r.eachDiscard(ctx, r.conn, func(_, _, text string) {
		v := discarded(text)
		enough = enough && fits(current, v)
		if !fits(suggested, v) {
			suggested = common(suggested, v.kind.columnType())
		}
	})
	if enough {
		return current, err
	}
	return suggested, err
}

func fits(t columnType, v value) bool {
	_, ok := t.cast(v)
	return ok
}

// eachMisfit calls a function for each value of the column that the new type does
// not take. Where it takes all, nothing is read.
func (r *repair) eachMisfit(ctx context.Context, db querier, current columnType, each func(id, text string) error) error {
	from := sourceColumn{typ: current}
	if r.typ == typeText || r.typ == typeJSONB || r.typ == typeNumeric && from.adopted() == typeBigint {
		return nil
	}
	rows, err := db.Query(ctx, fmt.Sprintf("select id::text, %s::text from %s where %[1]s is not null and id is not null", quoteName(r.Column), r.table.quoted()))
	if err != nil {
		return fmt.Errorf("read the values: %w", err)
	}
	var id, text string
	_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		v := from.value(text)
		if from.adopted() == typeBoolean {
			v = value{kind: boolean, text: text} // ::text writes true, the wire t
		}
		if fits(r.typ, v) {
			return nil
		}
		return each(id, text)
	})
	return err
}

// setAside moves the values that the new type does not take to discards.
func (r *repair) setAside(ctx context.Context, tx pgx.Tx, current columnType) (n int64, err error) {
	var ids, texts []string
	err = r.eachMisfit(ctx, tx, current, func(id, text string) error {
		ids, texts = append(ids, id), append(texts, text)
		return nil
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	_, err = tx.Exec(ctx, fmt.Sprintf(`insert into %s (table_name, row_id, column_name, column_value, reason, received_at)
		select $1, id, $2, value, $3, $4 from unnest($5::text[], $6::text[]) as v (id, value)`, r.discards.quoted()),
		r.Table, r.Column, lostMisfit, r.Now(), ids, texts)
	if err != nil {
		return 0, fmt.Errorf("keep what does not fit: %w", err)
	}
	_, err = tx.Exec(ctx, fmt.Sprintf("update %s set %s = null where id::text = any($1::text[])", r.table.quoted(), quoteName(r.Column)), ids)
	if err != nil {
		return 0, fmt.Errorf("set aside what does not fit: %w", err)
	}
	return int64(len(ids)), nil
}

// putIn puts discards into the columns of their rows, where these are null, and
// removes those that are in. The value received last comes first.
const putIn = `
with v as (
	select distinct on (id) place, id, value from unnest($1::text[]::tid[], $2::text[]::%[1]s[], $3::text[]::%[2]s[])
	with ordinality as v (place, id, value, position) order by id, position
), put as (
	update %[3]s t set %[4]s = v.value%[5]s from v where t.id = v.id and t.%[4]s is null returning v.place
)
delete from %[6]s d using put where d.ctid = put.place`

// replay puts what fits now into the column. The rows get the uuid_ts of the
// repair, as those of a load do, so that incremental models see them.
func (r *repair) replay(ctx context.Context, tx pgx.Tx, stamp time.Time) (replayed, kept int64, err error) {
	tables, err := readSchema(ctx, tx, r.Schema)
	if err != nil {
		return 0, 0, err
	}
	rel := tables[r.Table]
	stamped := ""
	if rel.columns["uuid_ts"] == typeTimestamptz {
		stamped = ", uuid_ts = '" + stamp.UTC().Format(time.RFC3339Nano) + "'"
	}
	sql := fmt.Sprintf(putIn, rel.columns["id"], r.typ, r.table.quoted(), quoteName(r.Column), stamped, r.discards.quoted())
	var places, ids, texts []string
	err = r.eachDiscard(ctx, tx, func(place, id, text string) {
		kept++
		value, ok := r.typ.cast(discarded(text))
		key, held := rel.columns["id"].cast(textValue(id))
		if ok && held {
			places, ids, texts = append(places, place), append(ids, key), append(texts, value)
		}
	})
	if err != nil {
		return 0, 0, err
	}
	for from := 0; from < len(ids); from += repairBatch {
		to := min(from+repairBatch, len(ids))
		done, err := tx.Exec(ctx, sql, places[from:to], ids[from:to], texts[from:to])
		if err != nil {
			return 0, 0, fmt.Errorf("put in what fits: %w", err)
		}
		replayed += done.RowsAffected()
	}
	return replayed, kept - replayed, nil
}
