package warehouse

import (
	"maps"
	"slices"
	"strings"
)

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

// overflow are values without a column, by the name that it would have.
type overflow map[string]value

// json writes the values as a JSON object.
func (o overflow) json() value {
	var b strings.Builder
	for i, column := range slices.Sorted(maps.Keys(o)) {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(quote(column))
		b.WriteByte(':')
		b.WriteString(o[column].json())
	}
	b.WriteByte('}')
	return value{kind: document, text: b.String()}
}

// losers are the values as lost to a table that cannot take them.
func (o overflow) losers() []lost {
	losers := make([]lost, 0, len(o))
	for _, column := range slices.Sorted(maps.Keys(o)) {
		losers = append(losers, lost{column, o[column].text, lostFull})
	}
	return losers
}
