package warehouse

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// TestTenThousandNewPropertyNames, as an app sends that puts ids into names: the
// table gets as many columns as it may, and no value is lost.
func TestTenThousandNewPropertyNames(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	const events, names = 100, 100 // of each
	var batch []event.Event
	for n := range events {
		var properties []string
		for i := range names {
			properties = append(properties, fmt.Sprintf(`"p%05d":%d`, n*names+i, n))
		}
		batch = append(batch, track(t, fmt.Sprintf("m%03d", n), "X", "{"+strings.Join(properties, ",")+"}"))
	}
	f.deliver(batch...)
	f.want(`select count(*)::int as rows, sum(n)::int as values from (
			select (select count(*) from jsonb_each(to_jsonb(x) - '_overflow') c where c.key like 'p0%' and c.value <> 'null')
				+ (select count(*) from jsonb_object_keys(coalesce(_overflow, '{}')::jsonb)) as n
			from app.x) x`,
		fmt.Sprintf(`{"rows":%d,"values":%d}`, events, events*names))
	f.want(`select count(*) <= 301 as few from information_schema.columns where table_schema = 'app' and table_name = 'x'`, `{"few":true}`)
	f.want("select count(*)::int as n from app.tracks", fmt.Sprintf(`{"n":%d}`, events))
}

// TestAPropertyOfFiveTypes: whatever the type of a value, it is in its column or in
// discards, and its row is there.
func TestAPropertyOfFiveTypes(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	values := []string{`1`, `"text"`, `true`, `2.5`, `"2026-01-01T00:00:00Z"`}
	const rounds = 10
	for n := range rounds { // one load each, as over time
		var batch []event.Event
		for i, value := range values {
			batch = append(batch, track(t, fmt.Sprintf("m%d-%d", n, i), "X", `{"v":`+value+`}`))
		}
		f.deliver(batch...)
	}
	all := rounds * len(values)
	f.want(`select count(*)::int as rows, (count(v) + (select count(*) from app.discards where table_name = 'x' and column_name = 'v'))::int as values from app.x`,
		fmt.Sprintf(`{"rows":%d,"values":%d}`, all, all))
	f.want("select count(*)::int as n from app.tracks", fmt.Sprintf(`{"n":%d}`, all))
}

// TestTwoSourcesWithTheSameMessageID have a row each: ids are a source's own.
func TestTwoSourcesWithTheSameMessageID(t *testing.T) {
	t.Parallel()
	f := open(t, Options{Sources: []Source{{Name: "app"}, {Name: "shop"}}})
	other := track(t, "m1", "X", `{"from":"shop"}`)
	other.Source = "shop"
	f.deliver(track(t, "m1", "X", `{"from":"app"}`), other)
	f.deliver(other)
	f.want(`select "from" from app.x`, `{"from":"app"}`)
	f.want(`select "from" from shop.x`, `{"from":"shop"}`)
	f.want("select (select count(*) from app.tracks)::int as app, (select count(*) from shop.tracks)::int as shop", `{"app":1,"shop":1}`)
}

// TestTheSameEventWeeksLater makes no second row: no window is looked at, but the
// table's key.
func TestTheSameEventWeeksLater(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	first := track(t, "m1", "X", `{"n":1}`)
	f.deliver(first)
	again := first
	again.ReceivedAt = first.ReceivedAt.Add(6 * 7 * 24 * time.Hour)
	f.deliver(again, track(t, "m2", "X", `{"n":2}`))
	f.want("select id, n from app.x order by id", `{"id":"m1","n":1}`, `{"id":"m2","n":2}`)
	f.want("select count(*)::int as n from app.tracks", `{"n":2}`)
}
