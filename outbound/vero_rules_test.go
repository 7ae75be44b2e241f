package outbound

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
)

// What a rule makes of an event: its name and data at Vero.
func TestRules(t *testing.T) {
	t.Parallel()
	rules := map[string]EventRule{
		"Renamed":         {Name: "Bought"},
		"Order Completed": {Properties: PropertyRules{Drop: []string{"secret"}}},
		"Product Viewed":  {Properties: PropertyRules{Rename: map[string]string{"url": "link"}}},
		"Only":            {Properties: PropertyRules{Only: []string{"a", "b"}}},
		"None":            {Properties: PropertyRules{Only: []string{}}},
		"Rename":          {Properties: PropertyRules{Rename: map[string]string{"a": "b"}}},
		"Rename over":     {Properties: PropertyRules{Drop: []string{"b"}, Rename: map[string]string{"a": "b"}}},
		"Add":             {Properties: PropertyRules{Add: map[string]any{"shop": "<ulm>", "n": 1.5, "yes": true}}},
		"All":             {Name: "Everything", Properties: PropertyRules{Only: []string{"a", "b"}, Rename: map[string]string{"a": "x"}, Add: map[string]any{"b": "ours"}}},
		"Opted Out":       {Name: "Unsubscribe"},
		"Unsubscribe":     {Name: "Left the list"},
		"page":            {Name: "Looked", Properties: PropertyRules{Drop: []string{"title"}}},
		"identify":        {Properties: PropertyRules{Drop: []string{"ssn"}, Add: map[string]any{"app": "shop"}}},
		"Dropped":         {Drop: true},
		"group":           {Drop: true},
	}
	m := newTestMapping(t, VeroOptions{Events: rules, Mapping: Mapping{Dedup: "none", Source: "none", CreatedAt: "none"}})
	track := func(event, properties string) string {
		return `{"type":"track","userId":"1","event":"` + event + `","properties":` + properties + `}`
	}
	tracked := func(event, data string) string {
		body := `{"identity":{"id":"1"},"event_name":"` + event + `"`
		if data != "" {
			body += `,"data":` + data
		}
		return "POST events/track\n" + body + "}\n"
	}
	for call, want := range map[string]string{
		track("Renamed", `{"a":1}`):                        tracked("Bought", `{"a":1}`),
		track("renamed", `{"a":1}`):                        tracked("renamed", `{"a":1}`),
		track("Order Completed", `{"secret":1,"total":2}`): tracked("Completed order", `{"total":2}`),
		track("Product Viewed", `{"url":"u"}`):             tracked("Viewed product", `{"link":"u"}`),
		track("Only", `{"c":3,"b":2,"a":1}`):               tracked("Only", `{"b":2,"a":1}`),
		track("None", `{"c":3}`):                           tracked("None", ``),
		track("Rename", `{"a":1}`):                         tracked("Rename", `{"b":1}`),
		track("Rename", `{"a":1,"b":2}`):                   tracked("Rename", `{"a":1,"b":2}`),
		track("Rename over", `{"a":1,"b":2}`):              tracked("Rename over", `{"b":1}`),
		track("Add", `{"n":1,"a":1}`):                      tracked("Add", `{"a":1,"n":1.5,"shop":"<ulm>","yes":true}`),
		track("All", `{"a":1.10,"b":2,"c":3}`):             tracked("Everything", `{"x":1.10,"b":"ours"}`),
		track("Opted Out", `{}`):                           "POST users/unsubscribe\n" + `{"id":"1"}` + "\n",
		track("Unsubscribe", `{}`):                         tracked("Left the list", ``),
		track("Dropped", `{}`):                             "skipped dropped_by_mapping\n",
		`{"type":"page","userId":"1","name":"Home","properties":{"title":"t","url":"u"}}`: tracked("Looked", `{"url":"u","name":"Home"}`),
		`{"type":"identify","userId":"1","traits":{"ssn":1,"plan":"pro"}}`:                "POST users/track\n" + `{"id":"1","data":{"plan":"pro","app":"shop"}}` + "\n",
		`{"type":"group","userId":"1","groupId":"g"}`:                                     "skipped dropped_by_mapping\n",
	} {
		if got := render(m.plan(accept(t, call))); got != want {
			t.Errorf("%s\ngot  %swant %s", call, got, want)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	const call = `{"type":"track","userId":"1","event":"E",
		"properties":{"total":120.50,"big":9007199254740993,"zip":"01234","coupon":null,"vip":true,"empty":"","a*b":1,"products":[{"sku":"x"}]},
		"context":{"locale":"en-GB","traits":{"plan":"pro"},"page":{"path":"/x"}}}`
	yes, no := true, false
	n := func(f float64) *float64 { return &f }
	for _, test := range []struct {
		path string
		c    Condition
		want bool
	}{
		{"properties.total", Condition{Greater: n(120)}, true},
		{"properties.total", Condition{Greater: n(120.5)}, false},
		{"properties.total", Condition{Greater: n(100), Less: n(200)}, true},
		{"properties.total", Condition{Greater: n(100), Less: n(120)}, false},
		{"properties.total", Condition{Equals: 120.5}, true},
		{"properties.total", Condition{Equals: "120.50"}, true},
		{"properties.total", Condition{Not: 120.5}, false},
		{"properties.big", Condition{Equals: 9007199254740993}, true},
		{"properties.big", Condition{Equals: 9007199254740992}, false},
		{"properties.zip", Condition{Equals: "01234"}, true},
		{"properties.zip", Condition{Equals: 1234}, true},
		{"properties.zip", Condition{Less: n(2000)}, true},
		{"properties.vip", Condition{Equals: true}, true},
		{"properties.vip", Condition{Greater: n(0)}, false},
		{"properties.coupon", Condition{Exists: &yes}, false},
		{"properties.coupon", Condition{Exists: &no}, true},
		{"properties.empty", Condition{Exists: &yes}, true},
		{"properties.empty", Condition{Equals: ""}, true},
		{"properties.missing", Condition{Not: "x"}, true},
		{"properties.missing", Condition{Equals: ""}, false},
		{"properties.missing", Condition{Less: n(5)}, false},
		{"properties.products.0.sku", Condition{Equals: "x"}, true},
		{"properties.a*b", Condition{Equals: 1}, true},
		{"properties.*", Condition{Exists: &yes}, false},
		{"traits.plan", Condition{In: []any{"team", "pro"}}, true},
		{"traits.plan", Condition{In: []any{"team", "free"}}, false},
		{"traits.plan", Condition{Equals: "Pro"}, false},
		{"context.locale", Condition{Not: "de"}, true},
		{"context.page.path", Condition{Equals: "/x"}, true},
	} {
		m := newTestMapping(t, VeroOptions{Events: map[string]EventRule{"E": {If: map[string]Condition{test.path: test.c}}}})
		plan := m.plan(accept(t, call))
		if got := len(plan.Requests) == 1; got != test.want || !got && plan.Reason != delivery.ReasonCondition {
			t.Errorf("%s %+v: sent is %v (%s), want %v", test.path, test.c, got, plan.Reason, test.want)
		}
	}
	both := newTestMapping(t, VeroOptions{Events: map[string]EventRule{"identify": {If: map[string]Condition{
		"traits.plan": {Equals: "pro"}, "context.locale": {Equals: "de"},
	}}}})
	for call, want := range map[string]bool{
		`{"type":"identify","userId":"1","traits":{"plan":"pro"},"context":{"locale":"de"}}`:                          true,
		`{"type":"identify","userId":"1","traits":{"plan":"pro"},"context":{"locale":"en"}}`:                          false,
		`{"type":"identify","userId":"1","traits":{"plan":"free"},"context":{"locale":"de","traits":{"plan":"pro"}}}`: false,
	} {
		if got := len(both.plan(accept(t, call)).Requests) == 1; got != want {
			t.Errorf("%s: sent is %v, want %v", call, got, want)
		}
	}
}

// A rule keeps the digits of the properties that it lets through.
func TestRulesKeepDigits(t *testing.T) {
	t.Parallel()
	m := newTestMapping(t, VeroOptions{Events: map[string]EventRule{"E": {Properties: PropertyRules{Rename: map[string]string{"a": "b"}}}}})
	plan := m.plan(accept(t, `{"type":"track","userId":"1","event":"E","properties":{"a":12345678901234567890.10}}`))
	if got := gjson.GetBytes(plan.Requests[0].Body, "data.b").Raw; got != "12345678901234567890.10" || strings.Contains(string(plan.Requests[0].Body), `"a":`) {
		t.Errorf("body %s", plan.Requests[0].Body)
	}
}
