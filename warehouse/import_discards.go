package warehouse

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// discard is a row of such a table, as text, nil for null.
type discard struct{ table, row, column, value, reason, receivedAt *string }

// keepDiscards inserts discards that are not there yet, for they have no key, and
// that are about a row that is: who was erased leaves nothing here either.
const keepDiscards = `
insert into %[1]s (table_name, row_id, column_name, column_value, reason, received_at)
select distinct $1, row_id, column_name, column_value, reason, received_at::timestamptz
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) as n (row_id, column_name, column_value, reason, received_at)
where exists (select from %[2]s t where t.id::text = n.row_id)
  and not exists (select from %[1]s d where d.table_name = $1 and d.row_id = n.row_id
                  and d.column_name = n.column_name and d.column_value is not distinct from n.column_value)`

// discards imports what did not fit there, which is found by the names that its
// tables and columns have here.
func (si *schemaImport) discards(ctx context.Context, name string, rel *relation) (ImportCounts, error) {
	var counts ImportCounts
	optional := func(column string) string {
		if rel.columns[column] == "" {
			return "null::text"
		}
		return quoteName(column) + "::text"
	}
	for _, column := range []string{"table_name", "row_id", "column_name"} {
		if rel.columns[column] == "" {
			si.from.LeftOut(name, "it is not a table of discards")
			return counts, nil
		}
	}
	rows, err := si.conn.Query(ctx, fmt.Sprintf(
		"select table_name::text, row_id::text, column_name::text, %s, %s, %s from %s where table_name is not null order by table_name",
		optional("column_value"), optional("reason"), optional("received_at"), table{si.from.Schema, name}.quoted()))
	if err != nil {
		return counts, err
	}
	defer rows.Close()
	var batch []discard
	for rows.Next() {
		var d discard
		if err := rows.Scan(&d.table, &d.row, &d.column, &d.value, &d.reason, &d.receivedAt); err != nil {
			return counts, err
		}
		counts.Read++
		if len(batch) == rowBatch || len(batch) > 0 && *batch[0].table != *d.table {
			if err := si.keep(ctx, batch); err != nil {
				return counts, err
			}
			batch = batch[:0]
		}
		batch = append(batch, d)
	}
	if err := rows.Err(); err != nil {
		return counts, err
	}
	return counts, si.keep(ctx, batch)
}

// keep keeps discards of one table.
func (si *schemaImport) keep(ctx context.Context, batch []discard) error {
	if len(batch) == 0 {
		return nil
	}
	of := table{si.schema, si.here[*batch[0].table]}
	si.loader.mu.Lock()
	known := si.loader.catalog.relation(of) != nil
	si.loader.mu.Unlock()
	if !known {
		si.from.LeftOut(si.loader.shape.discards, "there is no table "+*batch[0].table+" that some of them are about")
		return nil
	}
	var columns [5][]*string
	for _, d := range batch {
		if si.renamed && d.column != nil {
			here := si.columnHere(*batch[0].table, *d.column)
			d.column = &here
		}
		for i, v := range []*string{d.row, d.column, d.value, d.reason, d.receivedAt} {
			columns[i] = append(columns[i], v)
		}
	}
	into := table{si.schema, si.loader.shape.discards}
	_, err := si.loader.pool.Exec(ctx, fmt.Sprintf(keepDiscards, into.quoted(), of.quoted()),
		pgx.QueryExecModeExec, of.name, columns[0], columns[1], columns[2], columns[3], columns[4])
	return err
}
