package outbound

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each option changes its own part of what the default preset sends.
func TestMappingOptions(t *testing.T) {
	t.Parallel()
	const (
		at     = `"messageId":"m-1","timestamp":"2026-06-06T10:15:30.120Z"`
		extras = `"extras":{"source":"segment","created_at":"2026-06-06T10:15:30+0000"}`
		id     = `"segment_message_id":"m-1"`
		order  = `{"type":"track","userId":"1","event":"Order Completed","properties":{"total":9.50,"products":[{"sku":"a"},"no product",{"sku":"a"}]},` + at + `}`
	)
	track := func(rest string) string {
		return `{"type":"track","userId":"1","event":"Ping",` + rest + at + `}`
	}
	pinged := func(rest string) string {
		return "POST events/track\n" + `{"identity":{"id":"1"},"event_name":"Ping",` + rest + "}\n"
	}
	for name, test := range map[string]struct {
		options Mapping
		call    string
		want    string
	}{
		"names none": {
			Mapping{Names: "none"},
			`{"type":"track","userId":"1","event":"Signed Up",` + at + `}`,
			"POST events/track\n" + `{"identity":{"id":"1"},"event_name":"Signed Up","data":{` + id + `},` + extras + "}\n",
		},
		"id without traits": {
			Mapping{ID: []string{"user_id"}},
			`{"type":"identify","anonymousId":"a","traits":{"id":7,"email":"jane@example.com"},` + at + `}`,
			"skipped no_identity\n",
		},
		"id of an address before that of traits": {
			Mapping{ID: []string{"user_id", "email", "trait_id"}},
			`{"type":"identify","anonymousId":"a","traits":{"id":7,"email":"jane@example.com"},` + at + `}`,
			"POST users/track\n" + `{"id":"jane@example.com","email":"jane@example.com","data":{}}` + "\n",
		},
		"id of the anonymous": {
			Mapping{ID: []string{"user_id", "anonymous_id"}},
			`{"type":"identify","anonymousId":"a","traits":{"plan":"pro"},` + at + `}`,
			"POST users/track\n" + `{"id":"a","data":{"plan":"pro"}}` + "\n",
		},
		"email of properties": {
			Mapping{Email: "rudderstack"},
			track(`"properties":{"email":"jane@example.com"},`),
			"POST events/track\n" + `{"identity":{"id":"1","email":"jane@example.com"},"event_name":"Ping","data":{"email":"jane@example.com",` + id + `},` + extras + "}\n",
		},
		"email not of a userId": {
			Mapping{Email: "segment"},
			`{"type":"track","userId":"jane@example.com","event":"Ping",` + at + `}`,
			"POST events/track\n" + `{"identity":{"id":"jane@example.com"},"event_name":"Ping","data":{` + id + `},` + extras + "}\n",
		},
		"traits with id and email": {
			Mapping{Traits: "segment"},
			`{"type":"identify","userId":"1","traits":{"email":"jane@example.com","plan":"pro"},` + at + `}`,
			"POST users/track\n" + `{"id":"1","email":"jane@example.com","data":{"id":"1","email":"jane@example.com","plan":"pro"}}` + "\n",
		},
		"traits of the context first": {
			Mapping{Traits: "rudderstack"},
			`{"type":"identify","userId":"1","traits":{"plan":"pro"},"context":{"traits":{"city":"Ulm"}},` + at + `}`,
			"POST users/track\n" + `{"id":"1","data":{"city":"Ulm"}}` + "\n",
		},
		"context none": {
			Mapping{Context: "none"},
			`{"type":"identify","userId":"1","context":{"locale":"en-GB","timezone":"Europe/Berlin","userAgent":"Mozilla/5.0"},` + at + `}`,
			"POST users/track\n" + `{"id":"1","data":{}}` + "\n",
		},
		"context with events": {
			Mapping{Context: "segment"},
			track(`"context":{"userAgent":"Mozilla/5.0"},`),
			pinged(`"data":{"userAgent":"Mozilla/5.0",` + id + `},` + extras),
		},
		"context as it is": {
			Mapping{Context: "rudderstack"},
			`{"type":"identify","userId":"1","context":{"locale":"en-GB","timezone":"Europe/Berlin"},` + at + `}`,
			"POST users/track\n" + `{"id":"1","data":{"timezone":"Europe/Berlin","locale":"en-GB"}}` + "\n",
		},
		"push none": {
			Mapping{Push: "none"},
			`{"type":"identify","userId":"1","context":{"device":{"token":"t","type":"ios"}},` + at + `}`,
			"POST users/track\n" + `{"id":"1","data":{}}` + "\n",
		},
		"push as one object": {
			Mapping{Push: "rudderstack"},
			`{"type":"identify","userId":"1","context":{"os":{"name":"iOS"},"device":{"token":"t"}},` + at + `}`,
			"POST users/track\n" + `{"id":"1","channels":{"type":"push","address":"t","platform":"iOS"},"data":{}}` + "\n",
		},
		"page none":   {Mapping{Page: "none"}, `{"type":"page","userId":"1","name":"Home",` + at + `}`, "skipped nothing_to_send\n"},
		"screen none": {Mapping{Screen: "none"}, `{"type":"screen","userId":"1","name":"Home",` + at + `}`, "skipped nothing_to_send\n"},
		"page of Segment": {
			Mapping{Page: "segment"},
			`{"type":"page","userId":"1","name":"Home","properties":{"url":"u","title":"t"},` + at + `}`,
			"POST events/track\n" + `{"identity":{"id":"1"},"event_name":"viewed_page","data":{"url":"u",` + id + `},` + extras + "}\n",
		},
		"screen of RudderStack": {
			Mapping{Screen: "rudderstack"},
			`{"type":"screen","userId":"1","name":"Home",` + at + `}`,
			"POST events/track\n" + `{"identity":{"id":"1"},"event_name":"Viewed Home Screen","data":{` + id + `},` + extras + "}\n",
		},
		"group none": {Mapping{Group: "none"}, `{"type":"group","userId":"1","groupId":"g",` + at + `}`, "skipped nothing_to_send\n"},
		"group by users/edit": {
			Mapping{Group: "users_edit"},
			`{"type":"group","userId":"1","groupId":"g","traits":{"name":"Acme"},` + at + `}`,
			"PUT users/edit\n" + `{"id":"1","changes":{"group":{"name":"Acme"}}}` + "\n",
		},
		"unsubscribe by a part of the name": {
			Mapping{Unsubscribe: "segment"},
			`{"type":"track","userId":"1","event":"Email Unsubscribed",` + at + `}`,
			"POST users/unsubscribe\n" + `{"id":"1",` + extras + "}\n",
		},
		"unsubscribe without a d": {
			Mapping{Unsubscribe: "rudderstack"},
			`{"type":"track","userId":"1","event":"resubscribed",` + at + `}`,
			"POST events/track\n" + `{"identity":{"id":"1"},"event_name":"resubscribed","data":{` + id + `},` + extras + "}\n",
		},
		"delete": {
			Mapping{DeleteEvent: "User Deleted"},
			`{"type":"track","userId":"1","event":"user deleted","context":{"traits":{"email":"jane@example.com"}},` + at + `}`,
			"POST users/delete\n" + `{"id":"1"}` + "\n",
		},
		"delete is off": {
			Mapping{},
			`{"type":"track","userId":"1","event":"User Deleted",` + at + `}`,
			"POST events/track\n" + `{"identity":{"id":"1"},"event_name":"User Deleted","data":{` + id + `},` + extras + "}\n",
		},
		"ordered products, each apart from the other": {
			Mapping{OrderedProducts: true},
			order,
			"POST events/track\n" + `{"identity":{"id":"1"},"event_name":"Ordered Product","data":{"sku":"a","segment_message_id":"m-1:0"},` + extras + "}\n" +
				"POST events/track\n" + `{"identity":{"id":"1"},"event_name":"Ordered Product","data":{"sku":"a","segment_message_id":"m-1:2"},` + extras + "}\n" +
				"POST events/track\n" + `{"identity":{"id":"1"},"event_name":"Completed order","data":{"total":9.50,"products":[{"sku":"a"},"no product",{"sku":"a"}],` + id + `},` + extras + "}\n",
		},
		"created_at unix":     {Mapping{CreatedAt: "unix"}, track(``), pinged(`"data":{` + id + `},"extras":{"source":"segment","created_at":1780740930}`)},
		"created_at none":     {Mapping{CreatedAt: "none"}, track(``), pinged(`"data":{` + id + `},"extras":{"source":"segment"}`)},
		"source":              {Mapping{Source: "our shop"}, track(``), pinged(`"data":{` + id + `},"extras":{"source":"our shop","created_at":"2026-06-06T10:15:30+0000"}`)},
		"no extras":           {Mapping{Source: "none", CreatedAt: "none"}, track(``), pinged(`"data":{` + id + `}`)},
		"dedup none":          {Mapping{Dedup: "none"}, track(``), pinged(extras)},
		"dedup by check_id":   {Mapping{Dedup: "check_id"}, track(``), pinged(`"extras":{"source":"segment","created_at":"2026-06-06T10:15:30+0000","check_id":"m-1"}`)},
		"no check_id by data": {Mapping{Dedup: "check_id"}, track(`"properties":{"a":1},`), pinged(`"data":{"a":1},` + extras)},
		"dedup by time":       {Mapping{Dedup: "timestamp"}, track(`"properties":{"a":1},`), pinged(`"data":{"a":1},"extras":{"source":"segment","created_at":"2026-06-06T10:15:30+0000","check_id":1780740930120000}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newTestMapping(t, VeroOptions{Mapping: test.options})
			if diff := cmp.Diff(test.want, render(m.plan(accept(t, test.call)))); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// An order of a stranger stays one trigger, however many products are in it, and
// an order of more products than can be sent one by one is still sent.
func TestOrderedProductsAreBounded(t *testing.T) {
	t.Parallel()
	order := func(products int) string {
		return `{"type":"track","userId":"1","messageId":"m","event":"order_completed","properties":{"products":[` +
			strings.TrimSuffix(strings.Repeat(`{"sku":"a"},`, products), ",") + `]}}`
	}
	o := VeroOptions{Mapping: Mapping{OrderedProducts: true}}
	if got := len(newTestMapping(t, o).plan(accept(t, order(maxOrderedProducts))).Requests); got != maxOrderedProducts+1 {
		t.Errorf("%d products make %d calls, want one more", maxOrderedProducts, got)
	}
	plan := newTestMapping(t, o).plan(accept(t, order(maxOrderedProducts+1)))
	if len(plan.Requests) != 1 || plan.Reason != "too_many_products" {
		t.Errorf("one product more makes %d calls and says %q", len(plan.Requests), plan.Reason)
	}
	o.Browsers = map[string]Browser{"app": {Events: []string{"order_completed"}}}
	if got := len(newTestMapping(t, o).plan(accept(t, order(3))).Requests); got != 1 {
		t.Errorf("an order from a browser makes %d calls, want one", got)
	}
}

// docs/mapping.md has the value that each preset gives to each option.
func TestPresetsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| ([a-z_]+) \\| `(.+?)` \\| `(.+?)` \\| `(.+?)` \\|$")
	documented := make(map[string][]string)
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		documented[match[1]] = match[2:]
	}
	off := []string{"delete_event", "ordered_products"} // in all presets
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Mapping]()) {
		option := field.Tag.Get("yaml")
		var want []string
		for _, preset := range []string{PresetDefault, PresetSegment, PresetRudderStack} {
			value := reflect.ValueOf(presets[preset]).FieldByIndex(field.Index)
			if value.IsZero() != slices.Contains(off, option) {
				t.Errorf("preset %s has %v for %s", preset, value, option)
			}
			want = append(want, strings.ReplaceAll(fmt.Sprint(value), " ", ", "))
		}
		if diff := cmp.Diff(want, documented[option]); diff != "" && !slices.Contains(off, option) {
			t.Errorf("%s (-presets +docs/mapping.md):\n%s", option, diff)
		}
	}
}

// The loop guard and the limits of browsers hold in every preset.
func TestPresetsProtect(t *testing.T) {
	t.Parallel()
	if got := slices.Sorted(maps.Keys(presets)); !slices.Equal(got, slices.Sorted(slices.Values(Presets()))) {
		t.Errorf("Presets leaves out some of %v", got)
	}
	for _, preset := range Presets() {
		m := newTestMapping(t, VeroOptions{
			Preset: preset, Sources: []string{"vero"}, Browsers: map[string]Browser{"app": {}},
			Mapping: Mapping{DeleteEvent: "User Deleted"},
		})
		for call, want := range map[string]string{
			`{"type":"track","userId":"1","event":"Ping"}`:                                        "skipped browser_event\n",
			`{"type":"track","userId":"1","event":"Unsubscribe"}`:                                 "skipped browser_call\n",
			`{"type":"track","userId":"1","event":"User Deleted"}`:                                "skipped browser_call\n",
			`{"type":"alias","userId":"1","previousId":"2"}`:                                      "skipped browser_call\n",
			`{"type":"identify","userId":"a@example.com"}`:                                        "skipped browser_address\n",
			`{"type":"track","userId":"1","event":"x","context":{"integration":{"name":"VERO"}}}`: "skipped loop_guard\n",
			`{"type":"track","userId":"1","event":"x","properties":{"email":"a@example.com"}}`:    "skipped browser_event\n",
		} {
			got := render(m.plan(accept(t, call)))
			if got != want || strings.Contains(got, "@example.com") {
				t.Errorf("preset %s: %s\ngot  %swant %s", preset, call, got, want)
			}
		}
		e := accept(t, `{"type":"track","userId":"1","event":"Ping"}`)
		e.Source = "vero"
		if got := render(m.plan(e)); got != "skipped loop_guard\n" {
			t.Errorf("preset %s sends what came from Vero: %s", preset, got)
		}
	}
}

// Each wrong value is named with the values there are.
func TestMappingProblems(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]VeroOptions{
		`preset must be default, none, rudderstack or segment, not "x"`:                                         {Preset: "x"},
		`mapping.names must be default or none, not "x"`:                                                        {Mapping: Mapping{Names: "x"}},
		`mapping.id[1] must be user_id, trait_id, anonymous_id or email, not "userId"`:                          {Mapping: Mapping{ID: []string{"email", "userId"}}},
		`mapping.id is empty, so that nobody would be known; list where an id is taken from, such as [user_id]`: {Mapping: Mapping{ID: []string{}}},
		`mapping.email must be default, segment or rudderstack, not "x"`:                                        {Mapping: Mapping{Email: "x"}},
		`mapping.screen must be default, rudderstack or none, not "segment"`:                                    {Mapping: Mapping{Screen: "segment"}},
		`mapping.dedup must be message_id, check_id, timestamp or none, not "off"`:                              {Mapping: Mapping{Dedup: "off"}},
		`consent.unknown must be allow or deny, not "no"`:                                                       {Consent: Consent{Required: []string{"a"}, Unknown: "no"}},
		`consent.required is missing; list the categories that people must have agreed to, or remove consent`:   {Consent: Consent{Unknown: "deny"}},
		`consent.required[0] is empty; write the id of a category of your consent manager`:                      {Consent: Consent{Required: []string{""}}},
		`events.identify.name means nothing for identify calls, which have no name at Vero; remove it`:          {Events: map[string]EventRule{"identify": {Name: "x"}}},
		`events.group.properties means nothing for group calls; remove it`:                                      {Events: map[string]EventRule{"group": {Properties: PropertyRules{Drop: []string{"a"}}}}},
		`events.A.properties.drop is not needed beside only, which lists all that is kept; remove one of them`:  {Events: map[string]EventRule{"A": {Properties: PropertyRules{Only: []string{"a"}, Drop: []string{"b"}}}}},
		`events.A.properties.rename.b gives the name "c", which "a" gets too; choose another`:                   {Events: map[string]EventRule{"A": {Properties: PropertyRules{Rename: map[string]string{"a": "c", "b": "c"}}}}},
		`events.A.properties.rename.a is empty; to leave a property out, list it in drop`:                       {Events: map[string]EventRule{"A": {Properties: PropertyRules{Rename: map[string]string{"a": ""}}}}},
		`events.A.properties.add.a cannot be written as JSON: json: unsupported type: chan int`:                 {Events: map[string]EventRule{"A": {Properties: PropertyRules{Add: map[string]any{"a": make(chan int)}}}}},
		`events.A.if.total is no field; write it as properties.total, traits.plan or context.locale`:            {Events: map[string]EventRule{"A": {If: map[string]Condition{"total": {Equals: 1}}}}},
		`events.A.if.traits.plan has no test; write one of equals, not, in, exists, greater, less`:              {Events: map[string]EventRule{"A": {If: map[string]Condition{"traits.plan": {}}}}},
		`events.A.if.traits.plan has an empty in, so that it never holds; list values, or drop the event`:       {Events: map[string]EventRule{"A": {If: map[string]Condition{"traits.plan": {In: []any{}}}}}},
	} {
		found := o.Problems()
		if len(found) != 1 || found[0].Error() != want {
			t.Errorf("got %v\nwant %s", found, want)
		}
		o.Name, o.AuthToken = "main", secret
		if _, err := NewVero(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewVero says %v\nwant %s", err, want)
		}
	}
	long := VeroOptions{Events: map[string]EventRule{"A": {Name: strings.Repeat("n", 255)}}}
	if found := long.Problems(); len(found) != 1 || found[0].Setting != "events.A.name" {
		t.Errorf("a name that is too long: %v", found)
	}
}

// Nulls are dropped as Segment drops them, and kept by the other presets.
func TestNulls(t *testing.T) {
	t.Parallel()
	for preset, kept := range map[string]bool{PresetDefault: true, PresetNone: true, PresetSegment: false, PresetRudderStack: true} {
		_, v := setup(t, func(o *VeroOptions) { o.Preset = preset })
		for _, body := range []string{
			`{"type":"identify","messageId":"m","userId":"1","traits":{"gone":null,"plan":"pro"}}`,
			`{"type":"track","messageId":"m","userId":"1","event":"A","properties":{"gone":null,"plan":"pro"}}`,
		} {
			sent := string(v.Plan(accept(t, body)).Requests[0].Body)
			if strings.Contains(sent, `"gone":null`) != kept || !strings.Contains(sent, `"plan":"pro"`) {
				t.Errorf("preset %s sends %s", preset, sent)
			}
		}
	}
}

func TestDeleteEventIsNoSubscription(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]bool{"Unsubscribed": true, " resubscribe": true, "User Deleted": false, "": false} {
		problems := VeroOptions{Mapping: Mapping{DeleteEvent: name}}.Problems()
		if got := len(problems) == 1 && problems[0].Setting == "mapping.delete_event"; got != wrong {
			t.Errorf("delete_event %q: %v", name, problems)
		}
	}
}
