package warehouse

// Mode says whose warehouses the schemas look like.
type Mode string

// The modes. What was made in one is not renamed by the other.
const (
	// ModeSegment is the default.
	ModeSegment Mode = "segment"
	// ModeRudderStack names tables and columns as RudderStack does, for SQL that
	// was written for its schemas.
	ModeRudderStack Mode = "rudderstack"
)

// shape is what modes decide: the names that names of calls become, and the
// tables that there are.
type shape struct {
	mode Mode
	// key returns the slug of a key, "" for one that names nothing. first says
	// that it is not within another.
	key func(name string, first bool) string
	// column returns the column of the slugs of keys that lead to a value.
	column func(slug string) string
	// event returns the names that an event's name becomes.
	event func(name string) eventName
	// fromOther returns what a table or column of the other shape is called, as far
	// as its name says.
	fromOther func(name string) string
	// dropsReserved says that a value whose column belongs to another goes to
	// discards; otherwise its column gets an underscore in front.
	dropsReserved bool
	// skips says that a value counts as null.
	skips func(value) bool
	// more adds the standard columns that a call has there only. Defaults to none.
	more func(*call)

	// discards is the table of values that did not fit.
	discards string
	// The standard columns, by the tables that have them.
	call, track, group, alias, user columns
	// accounts says that group calls bring a table accounts up to date.
	accounts bool
	// app and vero are the tables that sources of both kinds have from the start.
	app, vero map[string]columns
}

// eventName is what becomes of an event's name: what the column event has, and
// its table, "" for none.
type eventName struct{ slug, table string }

// shapes are the shapes by mode. The empty mode is Segment's.
var shapes = map[Mode]*shape{"": segment, ModeSegment: segment, ModeRudderStack: rudderStack}

// segment is the shape of Segment's warehouses.
var segment = &shape{
	mode:   ModeSegment,
	key:    func(name string, _ bool) string { return slug(name, "key_") },
	column: func(slug string) string { return besideSystem(identifier(slug)) },
	event: func(name string) eventName {
		table := eventTable(name)
		return eventName{table, table}
	},
	fromOther: withoutRudderPrefix,
	skips:     func(value) bool { return false },
	discards:  discardsTable,
	call:      callColumns, track: trackColumns, group: groupColumns, alias: aliasColumns, user: stateColumns,
	accounts: true,
	app:      sourceTables, vero: veroTables,
}

// tablesOf returns the tables that a source has from the start.
func (s *shape) tablesOf(source Source) map[string]columns {
	if source.Vero {
		return s.vero
	}
	return s.app
}

// isDiscards says whether a table is one of values that did not fit, in either
// shape. No event's table has such a name.
func isDiscards(name string) bool { return name == discardsTable || name == rudderDiscards }
