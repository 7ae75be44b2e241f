package migrations_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/pgtest"
	"github.com/verobridge/verobridge/migrations"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// contract is the names of tables and columns that people's SQL relies on.
var contract = map[string][]string{
	"deliveries": {
		"source text", "message_id text", "destination text", "type text", "event text", "user_id text",
		"anonymous_id text", "status text", "reason text", "detail text", "attempts integer", "calls jsonb",
		"received_at timestamp with time zone", "settled_at timestamp with time zone",
	},
	"rejected_events": {
		"id text", "source text", "received_at timestamp with time zone", "reason text", "detail text", "body text",
		"message_id text", "user_id text", "anonymous_id text",
	},
	"destinations": {
		"name text", "type text", "state text", "reason text", "detail text", "since timestamp with time zone",
		"behind_since timestamp with time zone", "complete_until timestamp with time zone",
		"backlog_records bigint", "retrying_events bigint", "updated_at timestamp with time zone",
	},
	"sources": {"name text", "type text", "trust text", "schema text", "updated_at timestamp with time zone"},
	"routes":  {"source text", "destination text", "since timestamp with time zone"},
	"refusals": {
		"id bigint", "at timestamp with time zone", "reason text", "detail text", "source text", "write_key text",
		"message_ids ARRAY", "calls bigint", "requests bigint",
	},
	"unaccounted": {"source text", "message_id text", "destination text", "received_at timestamp with time zone"},
	"loads":       {"schema text", "uuid_ts timestamp with time zone"},
	"identities": {
		"source text", "anonymous_id text", "user_id text", "linked_at timestamp with time zone",
	},
	"held_events": {
		"source text", "message_id text", "anonymous_id text", "destination text", "body text",
		"received_at timestamp with time zone", "expires_at timestamp with time zone", "position bigint",
	},
	"suppressions":     {"hash text", "kind text", "since timestamp with time zone"},
	"suppression_salt": {"salt bytea", "one boolean"},
	"erasures": {
		"id text", "started_at timestamp with time zone", "finished_at timestamp with time zone",
		"hashes ARRAY", "counts jsonb", "remaining ARRAY",
	},
	"imports": {
		"target text", "origin text", "position text", "digest text", "counts jsonb",
		"updated_at timestamp with time zone", "finished_at timestamp with time zone",
	},
}

// up migrates and returns a connection.
func up(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	if _, err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// checkContract compares the tables there are with the contract.
func checkContract(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		select table_name, column_name || ' ' || data_type from information_schema.columns
		where table_schema = 'verobridge' and table_name <> 'goose_db_version'
		order by table_name, ordinal_position`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	var table, column string
	if _, err := pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		got[table] = append(got[table], column)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contract, got); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

func TestUpMakesTheContract(t *testing.T) {
	t.Parallel()
	checkContract(t, up(t, pgtest.Database(t)))
}

// TestUpMakesDroppedTablesAgain drops each table in turn; the others keep their
// rows.
func TestUpMakesDroppedTablesAgain(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	conn := up(t, url)
	if _, err := conn.Exec(t.Context(), "insert into verobridge.rejected_events values ('id', 'app', now(), 'r', 'd', 'b')"); err != nil {
		t.Fatal(err)
	}
	for table := range contract {
		if table == "rejected_events" {
			continue
		}
		drop := "drop table verobridge." + table + " cascade"
		if table == "unaccounted" {
			drop = "drop view verobridge.unaccounted"
		}
		if _, err := conn.Exec(t.Context(), drop); err != nil {
			t.Fatal(err)
		}
		up(t, url)
		checkContract(t, conn)
	}
	var kept int
	if err := conn.QueryRow(t.Context(), "select count(*) from verobridge.rejected_events").Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if kept != 1 {
		t.Errorf("%d rows are left of one", kept)
	}
}

// A role that may not migrate can do the work after one that may has granted.
func TestGrant(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	conn := up(t, url)
	role := fmt.Sprintf("worker_%d", time.Now().UnixNano())
	for _, statement := range []string{"create role " + role + " login", "grant " + role + " to current_user"} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, statement := range []string{"drop owned by " + role, "drop role " + role} {
			if _, err := conn.Exec(context.WithoutCancel(t.Context()), statement); err != nil {
				t.Error(err)
			}
		}
	})
	as, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = as.Close(context.WithoutCancel(t.Context())) })
	if _, err := as.Exec(t.Context(), "set role "+role); err != nil {
		t.Fatal(err)
	}
	const work = "insert into verobridge.rejected_events values ('id', 'app', now(), 'r', 'd', 'b')"
	if _, err := as.Exec(t.Context(), work); err == nil {
		t.Fatal("the role could write before anything was granted")
	}
	if err := migrations.Grant(t.Context(), url, role); err != nil {
		t.Fatal(err)
	}
	if _, err := as.Exec(t.Context(), work); err != nil {
		t.Errorf("after the grant: %v", err)
	}
	if err := migrations.Grant(t.Context(), url, "nobody there"); err == nil {
		t.Error("granted to a role that does not exist")
	}
}

func TestUpTwiceAndStatus(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)

	before, err := migrations.Status(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if len(before) == 0 || !before[0].AppliedAt.IsZero() || before[0].Name != "00001_own_tables.sql" {
		t.Errorf("status of an empty database: %+v, want all pending", before)
	}
	applied, err := migrations.Up(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if len(applied) != len(before) {
		t.Errorf("applied %d migrations, want all %d", len(applied), len(before))
	}
	again, err := migrations.Up(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if len(again) != 0 {
		t.Errorf("applied %+v again", again)
	}
	after, err := migrations.Status(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range after {
		if m.AppliedAt.IsZero() {
			t.Errorf("%s is pending after Up", m.Name)
		}
	}
}

func TestUpBySeveralAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	const starters = 4
	counts := make([]int, starters)
	var wg sync.WaitGroup
	for i := range starters {
		wg.Go(func() {
			applied, err := migrations.Up(t.Context(), url)
			if err != nil {
				t.Error(err)
			}
			counts[i] = len(applied)
		})
	}
	wg.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	all, err := migrations.Status(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if total != len(all) {
		t.Errorf("%v migrations were applied, want each of %d once", counts, len(all))
	}
}

func TestUpNeedsADatabase(t *testing.T) {
	t.Parallel()
	if _, err := migrations.Up(t.Context(), "postgres://nobody@127.0.0.1:1/none?sslmode=disable&connect_timeout=2"); err == nil {
		t.Error("migrated a database that does not exist")
	}
}
