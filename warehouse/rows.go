package warehouse

import (
	"fmt"
	"slices"

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
	lostFull      = "table_full"     // the table has as many columns as Postgres allows, and no overflow
)

// record is all that the warehouse keeps of one event.
type record struct {
	// rows are inserted, each once by its id.
	rows []row
	// state is the row of users or accounts that the event brings up to date,
	// nil if there is none. It counts only if the event is new, which the first
	// of rows decides. An imported state has no rows, and always counts.
	state *row
}

// schema returns the schema that all of the record goes to.
func (r record) schema() string {
	if len(r.rows) > 0 {
		return r.rows[0].table.schema
	}
	return r.state.table.schema
}

// record maps an event to its rows.
func (f *flattener) record(e event.Event) (record, error) {
	if e.Type == event.Rejected {
		return rejectedRecord(e), nil
	}
	if !gjson.ValidBytes(e.Body) {
		return record{}, fmt.Errorf("the body is not valid JSON")
	}
	c := f.read(e)
	switch e.Type {
	case event.Track:
		return c.track(), nil
	case event.Identify:
		r := c.row("identifies", callColumns)
		c.add(&r, c.traits, reservedIn(callColumns))
		return record{rows: []row{r}, state: r.state("users", c.userID.String())}, nil
	case event.Group:
		r := c.row("groups", groupColumns)
		group := c.groupID.String()
		r.cells.text("group_id", group)
		c.add(&r, c.traits, reservedIn(groupColumns))
		return record{rows: []row{r}, state: r.state("accounts", group)}, nil
	case event.Page:
		return record{rows: []row{c.visit("pages")}}, nil
	case event.Screen:
		return record{rows: []row{c.visit("screens")}}, nil
	case event.Alias:
		r := c.row("aliases", aliasColumns)
		r.cells.text("previous_id", c.previousID.String())
		c.add(&r, c.traits, reservedIn(aliasColumns))
		return record{rows: []row{r}}, nil
	default:
		return record{}, fmt.Errorf("there is no table for calls of type %q", e.Type)
	}
}

// call is an event taken apart, and what its rows have in common.
type call struct {
	*flattener
	id, schema                                         string
	userID, groupID, previousID, event, name, category gjson.Result
	anonymousID, sentAt, timestamp, originalTimestamp  gjson.Result
	context, properties, traits                        gjson.Result
	// common are the standard columns of all calls and those of context.
	common cells
	lost   []lost
}

// read takes an event apart.
func (f *flattener) read(e event.Event) *call {
	c := &call{flattener: f, id: cleanText(e.ID), schema: schemaName(e.Source)}
	gjson.ParseBytes(e.Body).ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "userId":
			c.userID = v
		case "anonymousId":
			c.anonymousID = v
		case "groupId":
			c.groupID = v
		case "previousId":
			c.previousID = v
		case "event":
			c.event = v
		case "name":
			c.name = v
		case "category":
			c.category = v
		case "sentAt":
			c.sentAt = v
		case "timestamp":
			c.timestamp = v
		case "originalTimestamp":
			c.originalTimestamp = v
		case "context":
			c.context = v
		case "properties":
			c.properties = v
		case "traits":
			c.traits = v
		}
		return true
	})
	standard := make(cells, 0, len(callColumns))
	standard = append(standard, cell{"id", value{text, c.id}}, cell{"received_at", timeValue(e.ReceivedAt)})
	standard.text("anonymous_id", c.anonymousID.String())
	standard.text("user_id", c.userID.String())
	for _, t := range []struct {
		column string
		at     gjson.Result
	}{{"sent_at", c.sentAt}, {"timestamp", c.timestamp}, {"original_timestamp", c.originalTimestamp}} {
		if v, ok := valueOf(t.at); ok {
			standard.set(t.column, v)
		}
	}
	var ofContext cells
	ofContext, c.lost = f.flatten(c.context, "context", nobody)
	c.common = joined(standard, ofContext)
	return c
}

// row begins a row with what all rows of the call have.
func (c *call) row(name string, standard columns) row {
	return row{
		table: table{c.schema, name}, id: c.id, standard: standard,
		cells: slices.Clone(c.common), lost: slices.Clone(c.lost),
	}
}

// track makes the row of tracks, which has no properties, and that of the
// event's own table.
func (c *call) track() record {
	name := eventTable(c.event.String())
	c.common.set("event", value{text, name})
	c.common.set("event_text", value{text, cleanText(c.event.String())})
	rows := []row{c.row("tracks", trackColumns), c.row(name, trackColumns)}
	c.add(&rows[1], c.properties, reservedIn(trackColumns))
	return record{rows: rows}
}

// visit makes the row of a page or screen. The SDKs send a name and category
// beside the properties or among them, or both.
func (c *call) visit(name string) row {
	r := c.row(name, callColumns)
	c.add(&r, c.properties, reservedIn(callColumns))
	for _, beside := range []struct {
		column string
		sent   gjson.Result
	}{{"name", c.name}, {"category", c.category}} {
		v, ok := valueOf(beside.sent)
		property, both := r.cells.get(beside.column)
		if !ok || both && v.text == "" {
			continue
		}
		if both && v != property {
			r.lost = append(r.lost, lost{beside.column, property.text, lostCollision})
		}
		r.cells.set(beside.column, v)
	}
	return r
}

// add adds the values of an object to a row of the call.
func (c *call) add(r *row, object gjson.Result, reserved func(string) bool) {
	found, losers := c.flatten(object, "", reserved)
	r.cells = joined(r.cells, found)
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
	about := make(cells, 0, len(r.cells))
	for _, c := range r.cells {
		if _, ofCall := r.standard[c.column]; !ofCall {
			about = append(about, c)
		}
	}
	about.set("id", value{text, id})
	if received, ok := r.cells.get("received_at"); ok {
		about.set("received_at", received)
	}
	return &row{table: table{r.table.schema, name}, id: id, cells: about, standard: stateColumns}
}

// nobody reserves no name.
func nobody(string) bool { return false }
