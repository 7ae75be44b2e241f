package main

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// sixTables are the tables that the six calls become rows of.
var sixTables = []string{"identifies", "tracks", "pages", "screens", "groups", "aliases"}

// awaitSixCalls waits until a person's call of each type is a row, and checks
// that each is one row with an id of its own.
func (w *world) awaitSixCalls(t *testing.T, source, userID string) {
	t.Helper()
	for _, table := range sixTables {
		w.await(t, "a row in "+table, fmt.Sprintf(`select count(*) > 0 from %s.%s where user_id = $1`, source, table), userID)
	}
	w.settle(t, "six-"+userID)
	ids := make(map[string]string)
	counts := make(map[string]int)
	for _, table := range sixTables {
		rows, err := w.db.Query(t.Context(), fmt.Sprintf(`select id from %s.%s where user_id = $1`, source, table), userID)
		if err != nil {
			t.Fatal(err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range found {
			if other, taken := ids[id]; taken {
				t.Errorf("id %s is in %s and in %s", id, other, table)
			}
			ids[id] = table
		}
		counts[table] = len(found)
	}
	want := make(map[string]int)
	for _, table := range sixTables {
		want[table] = 1
	}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("rows of %s (-want +got):\n%s", userID, diff)
	}
}

// text returns what a query selects, one value.
func (w *world) text(t *testing.T, query string, args ...any) string {
	t.Helper()
	var text string
	if err := w.db.QueryRow(t.Context(), query, args...).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}
