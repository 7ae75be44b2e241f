package event

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"
)

// What is quoted without an encoder is what the encoder would write.
func TestQuoteIsJSON(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,20}`), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		s := text.Draw(t, "text")
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := quote(s); got != string(want) {
			t.Fatalf("%q is quoted as %s, want %s", s, got, want)
		}
	})
}

// However many members there are, each key is there once, with its last value,
// where it came first.
func TestMembersKeepTheLastOfEach(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.IntRange(0, 3*few), 0, 6*few).Draw(t, "keys")
		var (
			sent  []string
			order []string
			last  = make(map[string]int)
		)
		for n, key := range keys {
			name := fmt.Sprintf("k%d", key)
			sent = append(sent, fmt.Sprintf("%q:%d", name, n))
			if _, again := last[name]; !again {
				order = append(order, name)
			}
			last[name] = n
		}
		var m members
		gjson.Parse("{" + strings.Join(sent, ",") + "}").ForEach(m.set)
		got := make(map[string]int)
		var gotOrder []string
		for _, member := range m.list {
			gotOrder = append(gotOrder, member.name)
			got[member.name] = int(gjson.Parse(member.value).Int())
		}
		if !maps.Equal(got, last) || !slices.Equal(gotOrder, order) {
			t.Fatalf("%v in the order %v, want %v in the order %v", got, gotOrder, last, order)
		}
	})
}
