package story

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/tidwall/gjson"
)

// callTables are the tables of each type of call (segment-docs,
// connections/storage/warehouses/schema).
var callTables = map[string]string{
	"track": "tracks", "identify": "identifies", "page": "pages", "screen": "screens", "group": "groups", "alias": "aliases",
}

// readOwnRows finds the rows of an event. Its own table is named in the row of
// tracks.
func readOwnRows(ctx context.Context, tx pgx.Tx, w world, s *Story) error {
	source, known := w.sources[s.Source]
	table := callTables[s.Type]
	if !known || table == "" {
		return nil
	}
	row, err := readRow(ctx, tx, w, source.Schema, table, s.MessageID)
	if err != nil || row == nil {
		return err
	}
	s.Tables, s.Row = []string{source.Schema + "." + table}, row
	s.Library = strings.TrimSpace(gjson.GetBytes(row, "context_library_name").String() + " " + gjson.GetBytes(row, "context_library_version").String())
	if own := gjson.GetBytes(row, "event").String(); table == "tracks" && own != "" && own != table {
		more, err := readRow(ctx, tx, w, source.Schema, own, s.MessageID)
		if err != nil {
			return err
		}
		if more != nil {
			s.Tables, s.Row = append(s.Tables, source.Schema+"."+own), more
		}
	}
	return readDiscarded(ctx, tx, w, source.Schema, s)
}

// readRow returns a row as JSON without what is null, or nil.
func readRow(ctx context.Context, tx pgx.Tx, w world, schema, table, id string) (json.RawMessage, error) {
	if !w.has(schema, table) {
		return nil, nil
	}
	var text string
	err := tx.QueryRow(ctx, "select jsonb_strip_nulls(to_jsonb(t))::text from "+pgx.Identifier{schema, table}.Sanitize()+" t where id = $1 limit 1", id).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return json.RawMessage(text), err
}

// readDiscarded reads the values that did not fit. The tables are called so in
// the shapes of Segment and RudderStack.
func readDiscarded(ctx context.Context, tx pgx.Tx, w world, schema string, s *Story) error {
	for _, table := range []string{"discards", "rudder_discards"} {
		if !w.has(schema, table) {
			continue
		}
		rows, err := tx.Query(ctx, `select table_name, column_name, column_value, coalesce(to_jsonb(d)->>'reason', '')
			from `+pgx.Identifier{schema, table}.Sanitize()+` d where row_id = $1 order by 1, 2 limit 100`, s.MessageID)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Discarded])
		if err != nil {
			return err
		}
		s.Discards = append(s.Discards, found...)
	}
	return nil
}
