package console

import (
	"net/http"

	"github.com/verobridge/verobridge/internal/story"
)

// tablesView is what the page Tables shows.
type tablesView struct {
	story.TableReport
	Discards story.Snapshot[[]story.Discard]
}

func (c *Console) tables(r *http.Request) (any, error) {
	var v tablesView
	var err error
	if v.TableReport, err = c.o.Story.Tables(r.Context()); err != nil {
		return nil, away(err)
	}
	if v.Discards, err = c.o.Story.Discards(r.Context()); err != nil {
		return nil, away(err)
	}
	return v, nil
}

// discardCause says why values did not get into a column, and what helps.
type discardCause struct {
	Why string
	// Repairs says that verobridge repair puts the values in.
	Repairs bool
	// Cure is what helps otherwise.
	Cure string
}

// discardCauses explain the reasons of discards, which are stable codes.
var discardCauses = map[string]discardCause{
	"type_mismatch":  {Why: "the column's type cannot hold the value", Repairs: true},
	"table_full":     {Why: "the table has as many columns as Postgres allows", Cure: "Drop columns that nobody reads, or send fewer different properties."},
	"name_collision": {Why: "another key of the event means the same column", Cure: "Send the property under one spelling."},
	"no_column":      {Why: "the key gives no name for a column, or one that is taken", Cure: "Send the property under another name."},
	"no_table":       {Why: "the event's name gives no name for a table, or one that is taken", Cure: "Send the event under another name."},
}

// causeOf explains a reason. One of other software says what it says.
func causeOf(reason string) discardCause {
	if cause, ok := discardCauses[reason]; ok {
		return cause
	}
	return discardCause{Why: reason}
}

// repairCommand is the command that puts the values of a column in.
func repairCommand(d story.Discard) string {
	return "verobridge repair " + shellWord(d.Schema+"."+d.Table+"."+d.Column)
}
