package warehouse

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// anyValue draws JSON values, those that break loaders among them.
func anyValue() *rapid.Generator[string] {
	asJSON := func(s string) string {
		raw, err := json.Marshal(s)
		if err != nil {
			panic(err)
		}
		return string(raw)
	}
	return rapid.OneOf(
		rapid.SampledFrom([]string{
			"null", "true", "false", "0", "-0", "-0.0", "1e3", "1E-7", "1e400", "-1e-400", "1e8001", "0.0e-8000",
			"9223372036854775807", "9223372036854775808", `""`, `" "`, `"NaN"`, `"Infinity"`, `"\u0000"`, `"\ud800"`,
			`"\\N"`, `"\\."`, `"0001-01-01T00:00:00+14:00"`, `"9999-12-31T23:59:59-12:00"`, `"294277-01-01T00:00:00Z"`,
			`"2021-06-01T00:00:00.9999999Z"`, "[]", `["\u0000",{"a":"\ud800"}]`, "{}", `{"a":{"b":[1]}}`, `{"":{"":1}}`,
		}),
		rapid.Map(rapid.Int64(), func(n int64) string { return fmt.Sprint(n) }),
		rapid.Map(rapid.Float64Range(-1e300, 1e300), func(n float64) string { return fmt.Sprint(n) }),
		rapid.StringMatching(`-?[1-9][0-9]{0,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?`),
		rapid.Map(rapid.String(), asJSON),
		rapid.Map(rapid.StringMatching(`[0-9]{4}-[0-1][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-][0-1][0-9]:?[0-5][0-9]|)`), asJSON),
	)
}

// TestAnyEventGetsIn: whatever the values of an event are, and whatever came
// before it, it is delivered.
func TestAnyEventGetsIn(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	names := rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "c", "id", "timestamp", "user"}), anyName())
	sent := 0
	rapid.Check(t, func(rt *rapid.T) {
		var batch []event.Event
		for range rapid.IntRange(1, 10).Draw(rt, "events") {
			sent++
			var members []string
			for range rapid.IntRange(0, 8).Draw(rt, "members") {
				key, err := json.Marshal(names.Draw(rt, "key"))
				if err != nil {
					rt.Fatal(err)
				}
				members = append(members, string(key)+":"+anyValue().Draw(rt, "value"))
			}
			body := fmt.Sprintf(`{"type":"%s","messageId":"m%d","userId":"u","event":"X","%s":{%s}}`,
				rapid.SampledFrom([]string{"track", "identify", "page"}).Draw(rt, "type"), sent,
				rapid.SampledFrom([]string{"properties", "traits", "context"}).Draw(rt, "where"), strings.Join(members, ","))
			batch = append(batch, eventOf(t, "app", arrival, body))
		}
		for i, o := range f.Deliver(t.Context(), batch) {
			if o.Status() != delivery.StatusDelivered {
				rt.Fatalf("%s: %s", batch[i].Body, o.Detail())
			}
		}
	})
	f.want(`select count(*)::int as n from (
		select id from app.tracks union all select id from app.identifies union all select id from app.pages) all_calls`,
		fmt.Sprintf(`{"n":%d}`, sent))
}
