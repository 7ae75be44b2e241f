package warehouse

import (
	"maps"
	"slices"
)

// part is what a batch has for one table.
type part struct {
	table table
	need  need
	// rel is the table, once it fits the need.
	rel *relation
	// rows are to be inserted, in the order of their ids, each id once.
	rows []*row
	// calls are those that bring a row of the table up to date.
	calls []*item
}

// need is what a batch needs of a table.
type need struct {
	source   Source
	standard columns
	columns  columns
}

// partsOf takes a batch apart, in the order of tables. A part needs the standard
// columns, and those for which there is a value, each with the narrowest type
// that holds all of the batch's values.
func (l *Loader) partsOf(items []*item) []*part {
	parts := make(map[table]*part)
	of := func(t table, standard columns, it *item) *part {
		p, ok := parts[t]
		if !ok {
			p = &part{table: t, need: need{l.source(it.event.Source), standard, columns{}}}
			parts[t] = p
		}
		return p
	}
	for _, it := range items {
		for i := range it.record.rows {
			r := &it.record.rows[i]
			p := of(r.table, r.standard, it)
			p.add(r)
			p.rows = append(p.rows, r)
			r.fresh = false
		}
		if state := it.record.state; state != nil {
			p := of(state.table, state.standard, it)
			p.add(state)
			p.calls = append(p.calls, it)
		}
		if schema := it.record.schema(); schema != ownSchema {
			of(table{schema, l.shape.discards}, discardColumns, it)
		}
	}
	for _, p := range parts {
		p.rows = once(p.rows)
	}
	return slices.SortedFunc(maps.Values(parts), func(a, b *part) int { return compareTables(a.table, b.table) })
}

// add adds to the need what a row needs.
func (p *part) add(r *row) {
	for c := range r.cells() {
		typ, before := c.value.columnType(), p.need.columns[c.column]
		switch {
		case before == "":
			p.need.columns[c.column] = typ
		case before != typ:
			p.need.columns[c.column] = common(before, typ)
		}
	}
}
