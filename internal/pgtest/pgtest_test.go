package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	for _, url := range []string{pgtest.Database(t), pgtest.Database(t)} {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		if _, err := conn.Exec(t.Context(), "create table same_name (n int)"); err != nil {
			t.Errorf("a database is not empty: %v", err)
		}
	}
}

func TestDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("owner", func(t *testing.T) { url = pgtest.Database(t) })
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the database outlived its test")
	}
}
