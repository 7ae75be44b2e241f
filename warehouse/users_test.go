package warehouse

import (
	"fmt"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// TestUsersHoldTheLatestState gives calls in batches, and what users holds then.
func TestUsersHoldTheLatestState(t *testing.T) {
	t.Parallel()
	// call is an identify call that was received so many seconds after arrival.
	type call struct {
		second int
		traits string
	}
	cases := []struct {
		name    string
		batches [][]call
		want    string // plan, seats, odd and the second of the latest call
	}{
		{"first call", [][]call{{{1, `{"plan":"free","seats":1}`}}}, `{"plan":"free","seats":1,"second":1}`},
		{"fewer traits keep the others", [][]call{{{1, `{"plan":"free","seats":1}`}}, {{2, `{"plan":"pro"}`}}}, `{"plan":"pro","seats":1,"second":2}`},
		{"null does not erase", [][]call{{{1, `{"plan":"free","seats":1}`}}, {{2, `{"plan":null}`}}}, `{"plan":"free","seats":1,"second":2}`},
		{"an older call overwrites nothing", [][]call{{{2, `{"plan":"pro"}`}}, {{1, `{"plan":"free"}`}}}, `{"plan":"pro","second":2}`},
		{"an older call fills what is empty", [][]call{{{2, `{"plan":"pro"}`}}, {{1, `{"plan":"free","seats":1}`}}}, `{"plan":"pro","seats":1,"second":2}`},
		{"the same time: the later delivered", [][]call{{{1, `{"plan":"free"}`}}, {{1, `{"plan":"pro"}`}}}, `{"plan":"pro","second":1}`},
		{"two in a batch", [][]call{{{1, `{"plan":"free","seats":1}`}, {2, `{"plan":"pro"}`}}}, `{"plan":"pro","seats":1,"second":2}`},
		{"two in a batch, the later first", [][]call{{{2, `{"plan":"pro"}`}, {1, `{"plan":"free","seats":1}`}}}, `{"plan":"pro","seats":1,"second":2}`},
		{"two in a batch at one time", [][]call{{{1, `{"plan":"free"}`}, {1, `{"plan":"pro"}`}}}, `{"plan":"pro","second":1}`},
		{"a batch on both sides of what is known", [][]call{
			{{2, `{"plan":"known"}`}},
			{{1, `{"plan":"older","seats":1}`}, {3, `{"odd":true}`}},
		}, `{"plan":"known","seats":1,"odd":true,"second":3}`},
		{"what does not fit makes null", [][]call{{{1, `{"seats":1,"plan":"pro"}`}}, {{2, `{"seats":"many"}`}}}, `{"plan":"pro","second":2}`},
		{"what does not fit last in a batch makes null", [][]call{
			{{1, `{"seats":1}`}},
			{{2, `{"seats":2}`}, {3, `{"seats":"many"}`}},
		}, `{"second":3}`},
		{"what fits after what does not", [][]call{
			{{1, `{"seats":1}`}},
			{{2, `{"seats":"many"}`}, {3, `{"seats":3}`}},
		}, `{"seats":3,"second":3}`},
		{"what does not fit in the first call", [][]call{{{1, `{"seats":1}`}, {2, `{"seats":"many"}`}}}, `{"second":2}`},
		{"an older call that does not fit empties nothing", [][]call{{{2, `{"seats":1}`}}, {{1, `{"seats":"many"}`}}}, `{"seats":1,"second":2}`},
		{"an older call does not fill what was emptied", [][]call{
			{{1, `{"plan":"pro"}`}},
			{{3, `{"seats":"many"}`}},
			{{2, `{"seats":2,"odd":true}`}},
		}, `{"plan":"pro","odd":true,"second":3}`},
		{"of older calls each is judged by its own time", [][]call{
			{{0, `{"seats":0}`}},
			{{2, `{"seats":"many"}`}},
			{{5, `{"plan":"pro"}`}},
			{{1, `{"seats":1,"odd":true}`}, {3, `{"seats":3}`}},
		}, `{"plan":"pro","seats":3,"odd":true,"second":5}`},
		{"of older calls the later does not fit", [][]call{
			{{3, `{"plan":"pro"}`}},
			{{1, `{"seats":1}`}, {2, `{"seats":"many"}`}},
		}, `{"plan":"pro","second":3}`},
	}
	for _, keyed := range []bool{true, false} {
		t.Run(fmt.Sprintf("keyed %v", keyed), func(t *testing.T) {
			t.Parallel()
			f := open(t, Options{})
			if !keyed {
				f.exec("create schema app; create table app.users (id text); create table app.identifies (id text)")
			}
			// The columns exist, so that each case can ask for all of them.
			f.deliver(identifyAs(t, "m", "first", arrival, `{"plan":"","seats":0,"odd":false}`))
			for _, c := range cases {
				var all []event.Event
				for _, calls := range c.batches {
					var batch []event.Event
					for _, call := range calls {
						id := fmt.Sprintf("%s %d", c.name, len(all)+len(batch))
						batch = append(batch, identifyAs(t, id, c.name, arrival.Add(time.Duration(call.second)*time.Second), call.traits))
					}
					f.deliver(batch...)
					f.deliver(batch...) // repeated calls change nothing
					all = append(all, batch...)
				}
				f.deliver(all...)
				f.want(fmt.Sprintf(`select plan, seats, odd,
					extract(epoch from received_at - timestamptz '2026-06-06T10:15:30.123456Z')::int as second
					from app.users where id = '%s'`, c.name), c.want)
				f.want(fmt.Sprintf("select count(*)::int as n from app.identifies where user_id = '%s'", c.name),
					fmt.Sprintf(`{"n":%d}`, len(all)))
			}
		})
	}
}

// A column that must not be null keeps its value, and the call gets in.
func TestUsersColumnThatMustNotBeNull(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.exec("create schema app; create table app.users (id varchar(1024) primary key, received_at timestamptz, uuid_ts timestamptz, seats bigint not null)")
	f.deliver(identifyAs(t, "m1", "u1", arrival, `{"seats":1}`))
	f.deliver(identifyAs(t, "m2", "u1", arrival.Add(time.Second), `{"seats":"many","plan":"pro"}`))
	f.want("select seats, plan from app.users", `{"seats":1,"plan":"pro"}`)
	f.want("select row_id, column_value from app.discards where table_name = 'users'", `{"row_id":"u1","column_value":"many"}`)
}

// So does one that only Postgres writes, one of a type that the loader does not
// know, and one that a CHECK keeps from null in some rows.
func TestUsersColumnThatIsNotEmptied(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.exec(`create schema app; create type app.tier as enum ('gold', 'tin');
		create table app.users (id varchar(1024) primary key, received_at timestamptz, uuid_ts timestamptz,
			net numeric, gross numeric generated always as (net * 2) stored, number bigint generated always as identity,
			tier app.tier default 'gold', seats bigint, check (seats is not null or id <> 'u1'))`)
	traits := `{"net":%d,"gross":9,"number":9,"tier":"tin","seats":%s}`
	for n, seats := range []string{"5", `"many"`} {
		at := arrival.Add(time.Duration(n) * time.Second)
		f.deliver(identifyAs(t, fmt.Sprint("one ", n), "u1", at, fmt.Sprintf(traits, n+1, seats)),
			identifyAs(t, fmt.Sprint("two ", n), "u2", at, fmt.Sprintf(traits, n+1, seats)))
	}
	f.want("select id, net, gross, number, tier, seats from app.users order by id",
		`{"id":"u1","net":2,"gross":4,"number":1,"tier":"gold","seats":5}`,
		`{"id":"u2","net":2,"gross":4,"number":2,"tier":"gold"}`)
	f.want("select column_name, count(*)::int as n from app.discards where table_name = 'users' group by 1 order by 1",
		`{"column_name":"gross","n":4}`, `{"column_name":"number","n":4}`, `{"column_name":"seats","n":2}`, `{"column_name":"tier","n":4}`)
}

func TestAnonymousIdentifyMakesNoUser(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(eventOf(t, "app", arrival, `{"type":"identify","messageId":"m1","anonymousId":"a1","traits":{"email":"ann@example.com"}}`))
	f.want("select anonymous_id, email from app.identifies", `{"anonymous_id":"a1","email":"ann@example.com"}`)
	f.want("select * from app.users")
}

func TestUserWhoseIDIsTooLongIsDiscarded(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(eventOf(t, "app", arrival, fmt.Sprintf(`{"type":"identify","messageId":"m1","userId":"%01025d"}`, 7)))
	f.want("select length(user_id) as n from app.identifies", `{"n":1025}`)
	f.want("select * from app.users")
	f.want("select table_name, column_name, length(column_value) as n, reason from app.discards",
		`{"table_name":"users","column_name":"id","n":1025,"reason":"type_mismatch"}`)
}
