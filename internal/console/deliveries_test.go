package console

import (
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/verobridge/verobridge/internal/story"
)

// A filter and a place in the list come back from an address as they went in,
// whatever is in them.
func TestDeliveriesAddresses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.Map(rapid.String(), strings.TrimSpace)
		form := deliveriesForm{Event: text.Draw(t, "event"), Person: text.Draw(t, "person"), Message: text.Draw(t, "message"), Since: "2026-06-06T10:00"}
		at := story.DeliveryCursor{
			ReceivedAt: time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "time")).UTC(),
			Source:     text.Draw(t, "source"), MessageID: form.Message, Destination: "vero",
		}
		values, err := url.ParseQuery(form.query("after", formatCursor(at)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseCursor(values.Get("after"))
		if err != nil || !cmp.Equal(got, at) || !cmp.Equal(formOf(values), form) {
			t.Errorf("went in as %+v %+v, came out as %+v %+v, %v", form, at, formOf(values), got, err)
		}
		keys, err := parseLetterKeys([]string{letterKey(story.Delivery{Source: at.Source, MessageID: at.MessageID, Destination: "vero"})})
		if err != nil || keys[0] != (LetterKey{at.Source, at.MessageID, "vero"}) {
			t.Errorf("key %+v, %v", keys, err)
		}
	})
	for _, word := range []string{"%", "bm90IEpTT04"} {
		if _, err := parseCursor(word); err == nil {
			t.Errorf("%s is a place in the list", word)
		}
		if _, err := parseLetterKeys([]string{word}); err == nil {
			t.Errorf("%s is a key", word)
		}
	}
}

func TestParseMoment(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "0001-01-01T00:00:00Z", "2026-06-06T10:15": "2026-06-06T10:15:00Z", "2026-06-06T10:15:30": "2026-06-06T10:15:30Z",
		"2026-06-06": "2026-06-06T00:00:00Z", "2026-06-06T10:15:30+02:00": "2026-06-06T08:15:30Z",
	} {
		if got, err := parseMoment(text); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q: %v, %v; want %s", text, got, err, want)
		}
	}
	if _, err := parseMoment("soon"); err == nil {
		t.Error("soon is a time")
	}
}

// A real shell takes what is printed for one word and runs nothing.
func TestShellWord(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"app.orders.total", "a b", "$(id)", "it's", `"`, "", "a;b", "`id`", "\\"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+shellWord(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q became %q, %v", word, out, err)
		}
	}
}
