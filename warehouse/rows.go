package warehouse

import (
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// row is one row for one table, as the event says it; what the table can hold
// of it is known only when its columns are.
type row struct {
	table table
	id    string
	cells cells
	// standard are the columns that the table has whether or not a row fills
	// them.
	standard columns
	// lost are the values for which there is no place in the row.
	lost []lost
}

// lost is a value that did not get into its column. It becomes a row of the
// discards table, so it is lost to the column only.
type lost struct{ column, value, reason string }

// The reasons of discards. They are stable codes.
const (
	lostCollision = "name_collision" // another key of the event means the same column
	lostMisfit    = "type_mismatch"  // the column has a type that cannot hold the value
	lostFull      = "table_full"     // the table has as many columns as Postgres allows
)

// record is all that the warehouse keeps of one event.
type record struct {
	// rows are inserted, each once by its id.
	rows []row
	// state is the row of users or accounts that the event brings up to date,
	// nil if there is none. It counts only if the event is new, which the first
	// of rows decides.
	state *row
}

// recordOf maps an event to its rows.
func recordOf(e event.Event) (record, error) {
	if e.Type == event.Rejected {
		return rejectedRecord(e), nil
	}
	if !gjson.ValidBytes(e.Body) {
		return record{}, fmt.Errorf("the body is not valid JSON")
	}
	schema := schemaName(e.Source)
	call := func(name string, standard columns) row {
		r := row{table: table{schema, name}, id: cleanText(e.ID), cells: callCells(e), standard: standard}
		r.flatten(e.Get("context"), "context", nobody)
		return r
	}
	switch e.Type {
	case event.Track:
		return trackRecord(e, call), nil
	case event.Identify:
		r := call("identifies", callColumns)
		r.flatten(e.Get("traits"), "", reservedIn(callColumns))
		return record{rows: []row{r}, state: r.state("users", e.UserID())}, nil
	case event.Group:
		r := call("groups", groupColumns)
		group := e.Get("groupId").String()
		r.cells.text("group_id", group)
		r.flatten(e.Get("traits"), "", reservedIn(groupColumns))
		return record{rows: []row{r}, state: r.state("accounts", group)}, nil
	case event.Page:
		return record{rows: []row{visitRow(e, call("pages", callColumns))}}, nil
	case event.Screen:
		return record{rows: []row{visitRow(e, call("screens", callColumns))}}, nil
	case event.Alias:
		r := call("aliases", aliasColumns)
		r.cells.text("previous_id", e.PreviousID())
		r.flatten(e.Get("traits"), "", reservedIn(aliasColumns))
		return record{rows: []row{r}}, nil
	default:
		return record{}, fmt.Errorf("there is no table for calls of type %q", e.Type)
	}
}

// trackRecord makes the row of tracks, which has no properties, and that of the
// event's own table.
func trackRecord(e event.Event, call func(string, columns) row) record {
	name := eventTable(e.Name())
	rows := []row{call("tracks", trackColumns), call(name, trackColumns)}
	for _, r := range rows {
		r.cells["event"] = value{text, name}
		r.cells["event_text"] = value{text, cleanText(e.Name())}
	}
	rows[1].flatten(e.Get("properties"), "", reservedIn(trackColumns))
	return record{rows: rows}
}

// visitRow adds what pages and screens have. The SDKs send a name and category
// beside the properties or among them, or both.
func visitRow(e event.Event, r row) row {
	r.flatten(e.Get("properties"), "", reservedIn(callColumns))
	for _, column := range []string{"name", "category"} {
		v, ok := valueOf(e.Get(column))
		property, both := r.cells[column]
		if !ok || both && v.text == "" {
			continue
		}
		if both && v != property {
			r.lost = append(r.lost, lost{column, property.text, lostCollision})
		}
		r.cells[column] = v
	}
	return r
}

// callCells are the standard columns that all calls have. uuid_ts is not among
// them: it belongs to the load.
func callCells(e event.Event) cells {
	c := cells{
		"id":          {text, cleanText(e.ID)},
		"received_at": timeValue(e.ReceivedAt),
	}
	c.text("anonymous_id", e.AnonymousID())
	c.text("user_id", e.UserID())
	for column, field := range map[string]string{
		"sent_at": "sentAt", "timestamp": "timestamp", "original_timestamp": "originalTimestamp",
	} {
		if v, ok := valueOf(e.Get(field)); ok {
			c[column] = v
		}
	}
	return c
}

// text puts a string into a column, nothing for an empty one.
func (c cells) text(column, s string) {
	if s != "" {
		c[column] = value{text, cleanText(s)}
	}
}

// flatten adds the values of an object to the row.
func (r *row) flatten(object gjson.Result, prefix string, reserved func(string) bool) {
	found, losers := flatten(object, prefix, reserved)
	for column, v := range found {
		r.cells[column] = v
	}
	r.lost = append(r.lost, losers...)
}

// state is the row that a call makes of who it is about: traits and context, but
// nothing of the call itself. It is nil where id is empty, for an anonymous
// person has no row in users.
func (r row) state(name, id string) *row {
	if id == "" {
		return nil
	}
	id = cleanText(id)
	about := make(cells, len(r.cells))
	for column, v := range r.cells {
		if _, ofCall := r.standard[column]; !ofCall {
			about[column] = v
		}
	}
	about["id"] = value{text, id}
	about["received_at"] = r.cells["received_at"]
	return &row{table: table{r.table.schema, name}, id: id, cells: about, standard: stateColumns}
}

// nobody reserves no name.
func nobody(string) bool { return false }
