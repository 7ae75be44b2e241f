package warehouse

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
	"unsafe"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/event"
)

// row is one row for one table, as the event says it; what the table can hold
// of it is known only when its columns are.
type row struct {
	table table
	id    string
	// common are the cells that the rows of an event share, own the others. A
	// column is in one of them.
	common, own cells
	// standard are the columns that the table has whether or not a row fills
	// them.
	standard columns
	// lost are the values for which there is no place in the row.
	lost       []lost
	receivedAt time.Time
	// fresh says that the table did not have the row before the load.
	fresh bool
}

// cells are all cells of the row.
func (r *row) cells() iter.Seq[cell] {
	return func(yield func(cell) bool) {
		for _, part := range [...]cells{r.common, r.own} {
			for _, c := range part {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// lost is a value that did not get into its column. It becomes a row of the
// discards table, so it is lost to the column only.
type lost struct{ column, value, reason string }

// The reasons of discards. They are stable codes.
const (
	lostCollision = "name_collision" // another key of the event means the same column
	lostName      = "no_column"      // another column has the key's name, or nothing is left of it
	lostTable     = "no_table"       // the event has no table of its own
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

// mapper maps events to their rows. What it learns of one serves the others: the
// columns of keys, the tables of names.
type mapper struct {
	flattener
	shape                     *shape
	context                   *keyTree
	track, call, group, alias *keyTree // properties and traits
	memory                    *memory  // what is mapped is put there
	schemas                   names[string]
	events                    names[eventName]
	taken                     call // the event that is being mapped
}

func newMapper(shape *shape) *mapper {
	return &mapper{
		shape: shape, memory: new(memory),
		context: newKeyTree(shape, "context", nobody),
		track:   newKeyTree(shape, "", reservedIn(shape.track)),
		call:    newKeyTree(shape, "", reservedIn(shape.call)),
		group:   newKeyTree(shape, "", reservedIn(shape.group)),
		alias:   newKeyTree(shape, "", reservedIn(shape.alias)),
		schemas: names[string]{}, events: names[eventName]{},
	}
}

// record maps an event to its rows.
func (m *mapper) record(e event.Event) (record, error) {
	if e.Type == event.Rejected {
		return rejectedRecord(e), nil
	}
	if !gjson.ValidBytes(e.Body) {
		return record{}, fmt.Errorf("the body is not valid JSON")
	}
	c := m.read(e)
	if !wanted(c.integrations) {
		return record{}, errUnwanted
	}
	switch e.Type {
	case event.Track:
		return c.tracked(), nil
	case event.Identify:
		r := c.row("identifies", m.shape.call)
		c.add(&r, c.traits, m.call)
		return record{rows: m.rows(r), state: r.state("users", c.userID.String(), m.shape.user)}, nil
	case event.Group:
		group := c.groupID.String()
		c.common.text("group_id", group)
		r := c.row("groups", m.shape.group)
		c.add(&r, c.traits, m.group)
		if !m.shape.accounts {
			return record{rows: m.rows(r)}, nil
		}
		return record{rows: m.rows(r), state: r.state("accounts", group, stateColumns)}, nil
	case event.Page:
		return record{rows: m.rows(c.visit("pages"))}, nil
	case event.Screen:
		return record{rows: m.rows(c.visit("screens"))}, nil
	case event.Alias:
		c.common.text("previous_id", c.previousID.String())
		r := c.row("aliases", m.shape.alias)
		c.add(&r, c.traits, m.alias)
		return record{rows: m.rows(r)}, nil
	default:
		return record{}, fmt.Errorf("there is no table for calls of type %q", e.Type)
	}
}

// rows are the rows of a record.
func (m *mapper) rows(some ...row) []row {
	rows := m.memory.rows.take(len(some))
	copy(rows, some)
	return rows
}

// errUnwanted is the error of an event that does not want to get in here.
var errUnwanted = errors.New("the event's integrations leave out the warehouse")

// wanted says whether the event's integrations let it into the warehouse.
// "All": false is not meant for it (segment-docs, guides/filtering-data).
func wanted(integrations gjson.Result) bool {
	w := integrations.Get("Warehouses")
	if w.IsObject() {
		all := w.Get("all")
		return !all.Exists() || all.Bool()
	}
	return !w.IsBool() || w.Bool()
}

// call is an event taken apart, and what its rows have in common.
type call struct {
	*mapper
	id, schema                                         string
	receivedAt                                         time.Time
	userID, groupID, previousID, event, name, category gjson.Result
	anonymousID, sentAt, timestamp, originalTimestamp  gjson.Result
	context, properties, traits, integrations, channel gjson.Result
	// common are the standard columns of all calls and those of context.
	common cells
	lost   []lost
}

// read takes an event apart.
func (m *mapper) read(e event.Event) *call {
	c := &m.taken
	*c = call{mapper: m, id: cleanText(e.ID), schema: m.schemas.of(e.Source, schemaName), receivedAt: e.ReceivedAt}
	// Nothing writes into a body, so the values may share its memory.
	body := unsafe.String(unsafe.SliceData(e.Body), len(e.Body)) //nolint:gosec // as the line above says
	gjson.Parse(body).ForEach(func(key, v gjson.Result) bool {
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
		case "channel":
			c.channel = v
		case "context":
			c.context = v
		case "properties":
			c.properties = v
		case "traits":
			c.traits = v
		case "integrations":
			c.integrations = v
		}
		return true
	})
	c.common, c.lost = m.cells(c.context, m.context, len(trackColumns))
	c.common = append(c.common, cell{"id", value{kind: text, text: c.id}}, cell{"received_at", timeValue(e.ReceivedAt)})
	c.common.text("anonymous_id", c.anonymousID.String())
	c.common.text("user_id", c.userID.String())
	for _, t := range [...]struct {
		column string
		at     gjson.Result
	}{{"sent_at", c.sentAt}, {"timestamp", c.timestamp}, {"original_timestamp", c.originalTimestamp}} {
		if v, ok := valueOf(t.at); ok {
			c.common = append(c.common, cell{t.column, v})
		}
	}
	if m.shape.more != nil {
		m.shape.more(c)
	}
	return c
}

// cells puts the values of an object into columns, with room for so many more.
// It returns the values for which there is no place, too.
func (m *mapper) cells(object gjson.Result, tree *keyTree, room int) (cells, []lost) {
	fields, losers := m.flatten(object, tree)
	found := cells(m.memory.cells.take(len(fields) + room))[:0]
	for _, f := range fields {
		if f.key.lost {
			losers = append(losers, lost{f.key.column.name, f.value.text, lostName})
			continue
		}
		found = append(found, cell{f.key.column.name, f.value})
	}
	return found, losers
}

// row begins a row with what all rows of the call have.
func (c *call) row(name string, standard columns) row {
	return row{
		table: table{c.schema, name}, id: c.id, standard: standard, receivedAt: c.receivedAt,
		common: c.common, lost: slices.Clone(c.lost),
	}
}

// tracked makes the row of tracks, which has no properties, and that of the
// event's own table.
func (c *call) tracked() record {
	name := c.events.of(c.event.String(), c.shape.event)
	c.common = append(c.common, cell{"event", value{kind: text, text: name.slug}}, cell{"event_text", value{kind: text, text: cleanText(c.event.String())}})
	first := c.row("tracks", c.shape.track)
	if name.table == "" {
		values, losers := c.cells(c.properties, c.track, 0)
		for _, v := range values {
			losers = append(losers, lost{v.column, v.value.text, lostTable})
		}
		first.lost = append(first.lost, losers...)
		return record{rows: c.rows(first)}
	}
	second := first
	second.table.name, second.lost = name.table, slices.Clone(c.lost)
	c.add(&second, c.properties, c.track)
	return record{rows: c.rows(first, second)}
}

// visit makes the row of a page or screen. The SDKs send a name and category
// beside the properties or among them, or both.
func (c *call) visit(name string) row {
	r := c.row(name, c.shape.call)
	c.add(&r, c.properties, c.call)
	for _, beside := range []struct {
		column string
		sent   gjson.Result
	}{{"name", c.name}, {"category", c.category}} {
		v, ok := valueOf(beside.sent)
		property, both := r.own.get(beside.column)
		if !ok || c.shape.skips(v) || both && v.text == "" {
			continue
		}
		if both && v != property {
			r.lost = append(r.lost, lost{beside.column, property.text, lostCollision})
		}
		r.own.set(beside.column, v)
	}
	return r
}

// add adds the values of an object to a row of the call.
func (c *call) add(r *row, object gjson.Result, tree *keyTree) {
	var losers []lost
	r.own, losers = c.cells(object, tree, 0)
	r.lost = append(r.lost, losers...)
}

// state is the row that a call makes of who it is about: traits and context, but
// of the call itself only what is standard there. It is nil where id is empty, for
// an anonymous person has no row in users.
func (r *row) state(name, id string, standard columns) *row {
	if id == "" {
		return nil
	}
	id = cleanText(id)
	about := cells{{"id", value{kind: text, text: id}}, {"received_at", timeValue(r.receivedAt)}}
	for c := range r.cells() {
		_, ofCall := r.standard[c.column]
		_, kept := standard[c.column]
		if (!ofCall || kept) && c.column != "id" && c.column != "received_at" {
			about = append(about, c)
		}
	}
	return &row{table: table{r.table.schema, name}, id: id, own: about, standard: standard, receivedAt: r.receivedAt}
}

// nobody reserves no name.
func nobody(string) bool { return false }
