package ingest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// FuzzBody states what holds for every body: it is refused, or it is JSON that
// any parser takes, within bounds, and unchanged if nothing was wrong with it. A
// webhook of it becomes a Segment call.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"batch":[ , {"n":NaN,"i":[-Infinity,Infinity,]} , ]}`,
		`["\ud800","\ud83d\ude00","\\ud800","\udc00\ud800"]`,
		"\uFEFF{\"a\":\"\xff\"}",
		`{"type":"opened","opened_at":1435016238,"user":{"id":1e3},"campaign":{"id":1235666234572456}}`,
		`{"type":"user_updated","id":"1","changes":{"_tags":{"add":["x"]}},"user":[]}`,
		`[[[[[[[[]]]]]]]]`,
		`"NaN`,
	} {
		f.Add([]byte(seed))
	}
	wire, err := filepath.Glob("testdata/wire/*.http")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range wire {
		request, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if _, body, _ := bytes.Cut(request, []byte("\r\n\r\n")); len(body) > 0 {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		body, err := lenient(bytes.Clone(sent))
		if err != nil {
			if json.Valid(sent) && nesting(sent) <= maxDepth {
				t.Fatalf("valid JSON is refused: %v", err)
			}
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) || nesting(body) > maxDepth {
			t.Fatalf("accepted as %q", body)
		}
		if len(body) > 3*len(sent) { // a bad byte becomes three
			t.Fatalf("%d bytes grew to %d", len(sent), len(body))
		}
		again, err := lenient(bytes.Clone(body))
		if err != nil || !bytes.Equal(again, body) {
			t.Fatalf("reading %q again gives %q, %v", body, again, err)
		}
		if json.Valid(sent) && utf8.Valid(sent) && !bytes.Contains(bytes.ToLower(sent), []byte(`\ud`)) && !bytes.Equal(body, sent) {
			t.Fatalf("%q was fine, but became %q", sent, body)
		}
		if gjson.ParseBytes(body).IsObject() {
			call, err := veroCall(string(body))
			if err != nil || !json.Valid([]byte(call)) {
				t.Fatalf("webhook %q became %q, %v", body, call, err)
			}
		}
	})
}

func TestNesting(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		``:                    0,
		`{}`:                  1,
		`{"a":[{}],"b":[]}`:   3,
		`["[[[[\"[[[[","{{"]`: 1,
		`[[],[],[]]`:          2,
		`]]]][[`:              0,
	} {
		if got := nesting([]byte(body)); got != want {
			t.Errorf("nesting of %s is %d, want %d", body, got, want)
		}
	}
}

func TestRepair(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[NaN,-Infinity,Infinity]`: `[null,null,null]`,
		`{"NaN":NaN}`:              `{"NaN":null}`,
		`[ , , ]`:                  `[   ]`,
		`[,1,,2,]`:                 `[1,2 ]`,
		`["a,,]",]`:                `["a,,]" ]`,
		`["\",,",]`:                `["\",," ]`,
		`[1 2]`:                    `[1 2]`,
		`"open`:                    `"open`,
	} {
		if got := string(repair([]byte(body))); got != want {
			t.Errorf("%s is repaired to %s, want %s", body, got, want)
		}
	}
}
