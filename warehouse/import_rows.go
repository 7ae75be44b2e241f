package warehouse

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// sourceTable is a table of another warehouse schema, and how its rows become
// ours.
type sourceTable struct {
	table
	// columns are those that are read, id first.
	columns []sourceColumn
	// keyed says that id is unique.
	keyed bool
	// shape is ours, and renamed says that theirs is another.
	shape   *shape
	renamed bool
}

// sourceColumn is a column of such a table.
type sourceColumn struct {
	name string
	typ  columnType
	// into is the column that it becomes.
	into string
}

// adopted returns the type that a column gets here: its own where the loader
// knows it, text where not, for everything can be written as text.
func (c sourceColumn) adopted() columnType {
	switch base := c.typ.form().base; base {
	case "bigint", "integer", "smallint":
		return typeBigint
	case "numeric":
		return typeNumeric
	case "double precision", "real", "boolean", "json", "jsonb":
		return columnType(base)
	case "timestamp with time zone", "timestamp without time zone":
		return typeTimestamptz
	default:
		return typeText
	}
}

// value reads a value as Postgres writes it in UTC.
func (c sourceColumn) value(raw string) value {
	raw = cleanText(raw)
	switch c.adopted() {
	case typeBigint, typeNumeric, "double precision", "real":
		return value{kind: kindOfNumber(raw), text: raw}
	case typeBoolean:
		return value{kind: boolean, text: map[string]string{"t": "true", "f": "false"}[raw]}
	case typeTimestamptz:
		if t, ok := event.ParseTime(raw); ok {
			return timeValue(t)
		}
		return value{kind: text, text: raw}
	case "json", typeJSONB:
		return value{kind: document, text: raw}
	default:
		return value{kind: text, text: raw}
	}
}

// isState says whether the rows are the latest state of users or groups, rather
// than calls.
func (t *sourceTable) isState() bool { return t.name == "users" || t.name == "accounts" }

// has says whether a column is read.
func (t *sourceTable) has(column string) bool {
	for _, c := range t.columns {
		if c.name == column {
			return true
		}
	}
	return false
}

// isEvent says whether it is the table of an event, which its rows name.
func (t *sourceTable) isEvent() bool {
	return t.name != "tracks" && t.has("event") && t.has("event_text")
}

// standard returns the columns that the table here has in any case.
func (t *sourceTable) standard() columns {
	switch {
	case t.name == "users":
		return t.shape.user
	case t.name == "groups":
		return t.shape.group
	case t.name == "aliases":
		return t.shape.alias
	case t.name == "tracks" || t.isEvent():
		return t.shape.track
	case fixedTables[t.name] && !t.isState():
		return t.shape.call
	default: // objects of a cloud source, for one
		return stateColumns
	}
}

// types are the types of the columns here.
func (t *sourceTable) types() columns {
	types := make(columns, len(t.columns))
	for _, c := range t.columns {
		types[c.into] = c.adopted()
	}
	return types
}

// item makes an item of a row, by the columns in their order, nil for null.
func (t *sourceTable) item(source, schema string, raw [][]byte) *item {
	found := make(cells, 0, len(raw)+1)
	for i, c := range t.columns {
		if raw[i] != nil {
			found = append(found, cell{c.into, c.value(string(raw[i]))})
		}
	}
	name := t.into(found)
	if t.renamed && t.has("event") && t.has("event_text") {
		if said, ok := found.get("event_text"); ok {
			found.set("event", value{kind: text, text: t.shape.event(said.text).slug})
		}
	}
	var received time.Time
	if at, ok := found.get("received_at"); ok {
		received, _ = event.ParseTime(at.text)
	}
	id, _ := found.get("id")
	it := &item{
		event:   event.Event{ID: id.text, Source: source, ReceivedAt: received},
		outcome: new(delivery.Outcome),
	}
	r := row{table: table{schema, name}, id: id.text, own: found, standard: t.standard(), receivedAt: received}
	if t.isState() {
		it.record.state = &r
	} else {
		it.record.rows = []row{r}
	}
	return it
}

// into returns the table here that a row belongs to.
func (t *sourceTable) into(found cells) string {
	if !t.renamed {
		return t.name
	}
	if said, ok := found.get("event_text"); ok && t.isEvent() {
		if name := t.shape.event(said.text).table; name != "" {
			return name
		}
	}
	return t.shape.fromOther(t.name)
}

// person returns an event that names whom a row is about, as a call would.
func (t *sourceTable) person(it *item) event.Event {
	found := it.cells()
	get := func(column string) string {
		v, _ := found.get(column)
		return v.text
	}
	user := get("user_id")
	if t.name == "users" {
		user = get("id")
	}
	body, err := json.Marshal(map[string]any{
		"type": event.Identify, "userId": user, "anonymousId": get("anonymous_id"), "previousId": get("previous_id"),
		"traits":  map[string]string{"email": get("email")},
		"context": map[string]any{"traits": map[string]string{"email": get("context_traits_email")}},
	})
	if err != nil {
		panic(err) // strings always marshal
	}
	return event.Event{ID: it.event.ID, Type: event.Identify, Source: it.event.Source, ReceivedAt: it.event.ReceivedAt, Body: body}
}

// cells are those of the item's only row.
func (it *item) cells() cells {
	if it.record.state != nil {
		return it.record.state.own
	}
	return it.record.rows[0].own
}

// json writes the item's row as a JSON object, for keeping one that is refused.
func (it *item) json() []byte {
	var b strings.Builder
	for i, c := range it.cells() {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(quote(c.column) + ":" + c.value.json())
	}
	b.WriteByte('}')
	return []byte(b.String())
}
