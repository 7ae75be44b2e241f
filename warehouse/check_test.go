package warehouse

import (
	"net/url"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/internal/doctor"
	"github.com/verobridge/verobridge/internal/pgtest"
)

// findings returns what is not fine, by its cure.
func findings(t *testing.T, o Options) map[string]doctor.Level {
	t.Helper()
	all, err := Check(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	cures := map[string]doctor.Level{}
	for _, f := range all {
		if (f.Cure == "") != (f.Level == doctor.OK) {
			t.Errorf("%q has level %s and the cure %q", f.What, f.Level, f.Cure)
		}
		if f.Level != doctor.OK {
			cures[f.Cure] = f.Level
		}
	}
	// The tests' server is fast rather than safe.
	for cure := range cures {
		if strings.Contains(cure, "alter system") || strings.Contains(cure, "synchronous_commit") {
			if cures[cure] != doctor.Warning {
				t.Errorf("%q is no advice", cure)
			}
			delete(cures, cure)
		}
	}
	return cures
}

// TestCuresCure applies each cure that Check names, and looks again, until all
// is well; then the loader works.
func TestCuresCure(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	admin := &fixture{t: t, conn: connect(t, db)}
	role := createRole(t, admin, "checked_"+databaseOf(t, db))
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "x")
	o := Options{URL: u.String(), Sources: []Source{{Name: "app"}, {Name: "vero", Vero: true}}}
	admin.exec("create schema app; create table app.tracks (id text, event text)")

	for round := 0; ; round++ {
		cures := findings(t, o)
		if len(cures) == 0 {
			if round < 2 {
				t.Errorf("all was well after %d rounds", round)
			}
			break
		}
		if round == 5 {
			t.Fatalf("still there: %v", cures)
		}
		for cure := range cures {
			admin.exec(cure)
		}
	}
	f := open(t, o)
	f.deliver(track(t, "m1", "X", `{"n":1}`))
	if left := findings(t, o); len(left) != 0 {
		t.Errorf("after the first load: %v", left)
	}
	admin.exec("revoke insert on verobridge.loads from " + role)
	admin.exec("alter table verobridge.loads owner to current_user")
	if got := findings(t, o)[`grant select, insert, update, delete on "verobridge"."loads" to "`+role+`";`]; got != doctor.Error {
		t.Errorf("a table of its own that it may not write is %q, want a problem", got)
	}
}

func TestCheckFindsMissingReaders(t *testing.T) {
	t.Parallel()
	got := findings(t, Options{URL: pgtest.Database(t), Readers: []string{"no such role"}})
	if got[`create role "no such role" login;`] != doctor.Warning {
		t.Errorf("findings are %v", got)
	}
}

// A reader who may not read is named with what lets him, which does.
func TestCheckFindsReadersWithoutRights(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	f := open(t, Options{URL: db})
	f.deliver(track(t, "m1", "X", "{}"))
	reader := createRole(t, f, "unread_"+databaseOf(t, db))
	o := Options{URL: db, Readers: []string{reader}, Sources: f.sources}
	cures := findings(t, o)
	if len(cures) != 3 { // app, vero and the views
		t.Errorf("findings are %v", cures)
	}
	for cure, level := range cures {
		if level != doctor.Warning || !strings.Contains(cure, "grant select on all tables") {
			t.Errorf("%q has level %s", cure, level)
		}
		f.exec(cure)
	}
	if left := findings(t, o); len(left) != 0 {
		t.Errorf("afterwards: %v", left)
	}
	f.exec("revoke select on app.x from " + reader)
	if left := findings(t, o); len(left) != 1 {
		t.Errorf("with a table that cannot be read: %v", left)
	}
}

func TestCheckSaysThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	_, err := Check(t.Context(), Options{URL: "postgres://somebody:secret@127.0.0.1:1/none?sslmode=disable&connect_timeout=2"})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error is %v, want one without the password", err)
	}
}
