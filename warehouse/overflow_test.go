package warehouse

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// TestOverflow gives a table more columns than it gets.
func TestOverflow(t *testing.T) {
	t.Parallel()
	f := open(t, Options{MaxColumns: len(trackColumns) + 2})
	f.deliver(track(t, "m1", "X", `{"a":1,"b":2,"c":3.10,"d":["\u0000",12345678901234567890],"e":"text","f":true,"g":null}`))
	f.deliver(track(t, "m2", "X", `{"a":4,"z":"2026-01-01T00:00:00Z"}`), track(t, "m3", "X", `{"b":5}`))
	f.want(`select id, a, b, _overflow from app.x order by id`,
		`{"id":"m1","a":1,"b":2,"_overflow":{"c":3.10,"d":["",12345678901234567890],"e":"text","f":true}}`,
		`{"id":"m2","a":4,"_overflow":{"z":"2026-01-01T00:00:00Z"}}`,
		`{"id":"m3","b":5}`)
	f.want("select * from app.discards")
	f.want("select count(*)::int as n from information_schema.columns where table_schema = 'app' and table_name = 'x'",
		fmt.Sprintf(`{"n":%d}`, len(trackColumns)+3))
}

// TestOverflowOfUsers: the overflow of a user follows the rules of all traits,
// key by key.
func TestOverflowOfUsers(t *testing.T) {
	t.Parallel()
	f := open(t, Options{MaxColumns: len(sourceTables["users"])})
	at := func(second int, id, traits string) event.Event {
		return identify(t, id, arrival.Add(time.Duration(second)*time.Second), traits)
	}
	f.deliver(at(1, "m1", `{"plan":"free","seats":1}`), at(2, "m2", `{"plan":"pro"}`))
	f.want("select _overflow from app.users", `{"_overflow":{"plan":"pro","seats":1}}`)
	f.deliver(at(4, "m4", `{"plan":"team"}`))
	f.deliver(at(3, "m3", `{"plan":"late","trial":true}`))
	f.deliver(at(5, "m5", `{"email":"ann@example.com"}`))
	f.want("select email, _overflow from app.users", `{"email":"ann@example.com","_overflow":{"plan":"team","seats":1,"trial":true}}`)
}

// TestRowOfAllColumnsFits: as many columns as a table gets by itself hold any
// row, whatever the length of its values: longer ones are stored elsewhere.
func TestRowOfAllColumnsFits(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	for _, length := range []int{1, 23, 24, 25, 40, 3000} {
		var properties []string
		for i := range 2 * f.maxColumns {
			properties = append(properties, fmt.Sprintf(`"c%d":%q`, i, strings.Repeat("x", length)))
		}
		f.deliver(track(t, fmt.Sprint("m", length), "X", "{"+strings.Join(properties, ",")+"}"))
	}
	f.want("select count(*)::int as n from app.x where _overflow is not null", `{"n":6}`)
}

// TestOverflowOfALockedTable needs no new column, so it does not wait for one.
func TestOverflowOfALockedTable(t *testing.T) {
	t.Parallel()
	f := open(t, Options{MaxColumns: len(trackColumns) + 1, LockTimeout: 50 * time.Millisecond})
	f.deliver(track(t, "m1", "X", `{"a":1,"b":2}`))
	release := f.holding("select from app.x")
	defer release()
	f.deliver(track(t, "m2", "X", `{"a":1,"new":2}`))
	f.want("select _overflow from app.x where id = 'm2'", `{"_overflow":{"new":2}}`)
}
