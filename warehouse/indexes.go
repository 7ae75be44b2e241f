package warehouse

import (
	"context"
	"fmt"
)

// addressOf is the address that an email event is about, as the views have it.
const addressOf = `lower(coalesce(context_traits_email::text, sent_to::text, case when anonymous_id::text like '%@%' then anonymous_id::text end))`

// personIndex is an index by which one person's rows are found.
type personIndex struct {
	name string // after the table's
	on   string
}

// Looking somebody up must not read whole tables: users by address, emails by
// person. Tables of product events have no such index, because each would cost
// every load, and what became of a person's events is in verobridge.deliveries.
var (
	userIndexes  = []personIndex{{"email_idx", "(lower(email::text))"}}
	emailIndexes = []personIndex{
		{"user_id_idx", `(user_id, "timestamp")`},
		{"address_idx", "((" + addressOf + `), "timestamp")`},
	}
	// discardIndexes are for whoever asks what is missing in a row.
	discardIndexes = []personIndex{{"row_id_idx", "(row_id)"}}
)

// indexesOf returns the indexes of a source's tables.
func (l *Loader) indexesOf(s Source) map[string][]personIndex {
	indexes := map[string][]personIndex{l.shape.discards: discardIndexes}
	if !s.Vero {
		indexes["users"] = userIndexes
		return indexes
	}
	for _, step := range emailSteps {
		indexes[step.Table] = emailIndexes
	}
	return indexes
}

// createIndexes makes the indexes of a source's tables that are missing. To make
// one on a table that has rows holds up nobody but the loader.
func (l *Loader) createIndexes(ctx context.Context, s Source) error {
	schema := schemaName(s.Name)
	for name, indexes := range l.indexesOf(s) {
		if l.catalog.relation(table{schema, name}) == nil {
			continue
		}
		for _, index := range indexes {
			var exists bool
			own := identifier(name + "_" + index.name)
			if err := l.pool.QueryRow(ctx, "select to_regclass($1) is not null", table{schema, own}.quoted()).Scan(&exists); err != nil {
				return err
			}
			if exists {
				continue
			}
			if err := l.ddl(ctx, fmt.Sprintf("create index %s on %s %s", quoteName(own), table{schema, name}.quoted(), index.on)); err != nil {
				return &tableError{table{schema, name}, err}
			}
		}
	}
	return nil
}
