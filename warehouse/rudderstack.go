package warehouse

import "strings"

// rudderDiscards is what RudderStack calls its table of discards.
const rudderDiscards = "rudder_discards"

// rudderReserved are the words before which RudderStack puts an underscore in the
// names of tables and columns on Postgres (rudder-transformer,
// src/warehouse/config/ReservedKeywords.json).
var rudderReserved = func() map[string]bool {
	words := make(map[string]bool)
	for word := range strings.FieldsSeq(`all analyse analyze and any array as asc asymmetric authorization between
		binary both case cast check collate column constraint create cross current_date current_role current_time
		current_timestamp current_user default deferrable desc distinct do else end except false for foreign freeze
		from full grant group having ilike in initially inner intersect into is isnull join leading left like limit
		localtime localtimestamp natural new not notnull null off offset old on only or order outer overlaps placing
		primary references right select session_user similar some symmetric table then to trailing true union unique
		user using verbose when where`) {
		words[word] = true
	}
	return words
}()

// withoutRudderPrefix returns Segment's name for a reserved word.
func withoutRudderPrefix(name string) string {
	if word := strings.TrimPrefix(name, "_"); word != name && rudderReserved[word] {
		return word
	}
	return name
}
