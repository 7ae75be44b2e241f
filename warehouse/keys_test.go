package warehouse

import (
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestWhatWasLearnedChangesNothing: an event has the same rows whatever the
// mapper saw before.
func TestWhatWasLearnedChangesNothing(t *testing.T) {
	t.Parallel()
	rows := func(m *mapper, properties string) []goldenRow {
		record, err := m.record(track(t, "m", "X", properties))
		if err != nil {
			t.Fatal(err)
		}
		return []goldenRow{golden(&record.rows[0]), golden(&record.rows[1])}
	}
	experienced := newMapper(segment)
	rapid.Check(t, func(rt *rapid.T) {
		properties := drawObject(rt, 3)
		if diff := gocmp.Diff(rows(newMapper(segment), properties), rows(experienced, properties)); diff != "" {
			rt.Errorf("%s (-first +later):\n%s", properties, diff)
		}
	})
}

// drawObject draws objects of keys that repeat, and that mean one column.
func drawObject(rt *rapid.T, depth int) string {
	var members []string
	for range rapid.IntRange(0, 4).Draw(rt, "members") {
		value := "1"
		switch {
		case depth > 0 && rapid.Bool().Draw(rt, "nested"):
			value = drawObject(rt, depth-1)
		case rapid.Bool().Draw(rt, "other"):
			value = rapid.SampledFrom([]string{"null", "2", `"x"`, "[]"}).Draw(rt, "value")
		}
		members = append(members, fmt.Sprintf("%q:%s", rapid.SampledFrom([]string{"a", "b", "a_b", "aB", "A"}).Draw(rt, "key"), value))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// TestRepeatedKeys: of a key that is repeated the last one counts, with all that
// is in it.
func TestRepeatedKeys(t *testing.T) {
	t.Parallel()
	record, err := newMapper(segment).record(track(t, "m", "X", `{"a":{"x":1,"y":2},"b":3,"a":{"y":4},"b":null,"c":5,"c":6}`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range record.rows[1].own {
		got[c.column] = c.value.text
	}
	if diff := gocmp.Diff(map[string]string{"a_y": "4", "c": "6"}, got); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	if lost := record.rows[1].lost; lost != nil {
		t.Errorf("lost %v", lost)
	}
}

// TestTreesForget: keys that are data do not fill the memory.
func TestTreesForget(t *testing.T) {
	t.Parallel()
	m := newMapper(segment)
	for i := range 5 {
		var members []string
		for j := range maxKeys / 2 {
			members = append(members, fmt.Sprintf(`"experiment_%d_%d":true`, i, j))
		}
		if _, err := m.record(track(t, "m", "X", "{"+strings.Join(members, ",")+"}")); err != nil {
			t.Fatal(err)
		}
	}
	if m.track.known > 2*maxKeys {
		t.Errorf("%d keys are known", m.track.known)
	}
}
