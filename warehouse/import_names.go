package warehouse

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// modeOf says who wrote a schema. RudderStack's discards have another name, and it
// keeps another address of the caller.
func modeOf(tables map[string]*relation) Mode {
	tracks := tables["tracks"]
	if tables[rudderDiscards] != nil || tracks != nil && tracks.columns["context_passed_ip"] != "" {
		return ModeRudderStack
	}
	return ModeSegment
}

// nameHere finds out what a table is called here: names of events differ between
// the shapes, but their rows say what the event is called.
func (si *schemaImport) nameHere(ctx context.Context, name string, rel *relation) error {
	si.here[name] = name
	if !si.renamed {
		return nil
	}
	si.here[name] = si.loader.shape.fromOther(name)
	if name == "tracks" || rel.columns["event_text"] == "" {
		return nil
	}
	rows, err := si.conn.Query(ctx, "select event_text::text from "+table{si.from.Schema, name}.quoted()+" where event_text is not null limit 1")
	if err != nil {
		return err
	}
	said, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err == nil && len(said) == 1 {
		if table := si.loader.shape.event(said[0]).table; table != "" {
			si.here[name] = table
		}
	}
	return err
}

// columnHere returns the column that one of the other schema becomes. RudderStack
// puts an underscore before a word that SQL reserves, and divides words otherwise
// than Segment: if there is a column with the same letters here, it is that.
func (si *schemaImport) columnHere(name, column string) string {
	if !si.renamed {
		return column
	}
	here := si.loader.shape.fromOther(column)
	letters := strings.ReplaceAll(here, "_", "")
	si.loader.mu.Lock()
	defer si.loader.mu.Unlock()
	rel := si.loader.catalog.relation(table{si.schema, si.here[name]})
	if rel == nil || rel.columns[here] != "" {
		return here
	}
	for _, other := range rel.columns.sorted() {
		if strings.ReplaceAll(other, "_", "") == letters {
			return other
		}
	}
	return here
}
