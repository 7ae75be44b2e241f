package warehouse

import "strings"

// overflowColumn holds, as a JSON object by column name, the values for which a
// table has no column and gets no more. No property has that name: Segment's
// names have no underscore in front.
const overflowColumn = "_overflow"

const typeJSONB columnType = "jsonb"

// room returns how many columns may still be added to a table that should have
// no more than limit. The last place that Postgres has is kept for the overflow.
func (r *relation) room(limit int) int {
	places := maxColumns - r.attributes
	if r.columns[overflowColumn] == "" {
		places--
	}
	return max(0, min(limit-len(r.columns), places))
}

// setOverflow keeps the cells that have no column in the overflow of the row. What
// it cannot take is lost to the table.
func (in *input) setOverflow(rel *relation) {
	if len(in.overflow) == 0 {
		return
	}
	var b strings.Builder
	for i, c := range in.overflow {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(quote(c.column))
		b.WriteByte(':')
		b.WriteString(c.value.json())
	}
	b.WriteByte('}')
	if text, ok := rel.columns[overflowColumn].cast(value{document, b.String()}); ok {
		in.set(overflowColumn, text)
		return
	}
	for _, c := range in.overflow {
		in.lost = append(in.lost, lost{c.column, c.value.text, lostFull})
	}
	in.overflow = nil
}
