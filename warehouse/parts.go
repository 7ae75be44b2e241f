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
	// usual are the columns and kinds of a row's cells by place. Where a row has the
	// same there as the one before, it needs nothing more.
	usual []usual
}

// usual is what the cell at a place of its row is.
type usual struct {
	column string
	kind   kind
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
	for _, it := range byID(items) {
		for i := range it.record.rows {
			r := &it.record.rows[i]
			p := of(r.table, r.standard, it)
			r.fresh = false
			if last := len(p.rows) - 1; last < 0 || p.rows[last].id != r.id {
				p.add(r)
				p.rows = append(p.rows, r)
			}
		}
	}
	for _, it := range items {
		if state := it.record.state; state != nil {
			p := of(state.table, state.standard, it)
			state.fresh = false
			p.add(state)
			p.calls = append(p.calls, it)
		}
		if schema := it.record.schema(); schema != ownSchema {
			of(table{schema, l.shape.discards}, discardColumns, it)
		}
	}
	return slices.SortedFunc(maps.Values(parts), func(a, b *part) int { return compareTables(a.table, b.table) })
}

// add adds to the need what a row needs.
func (p *part) add(r *row) {
	place := 0
	for _, some := range [...]cells{r.common, r.own} {
		for i := range some {
			is := usual{some[i].column, some[i].value.kind}
			switch {
			case place == len(p.usual):
				p.usual = append(p.usual, is)
				p.need.add(is)
			case p.usual[place] != is:
				p.usual[place] = is
				p.need.add(is)
			}
			place++
		}
	}
}

// add adds a column with a value of a kind.
func (n *need) add(is usual) {
	typ, before := is.kind.columnType(), n.columns[is.column]
	switch {
	case before == "":
		n.columns[is.column] = typ
	case before != typ:
		n.columns[is.column] = common(before, typ)
	}
}
