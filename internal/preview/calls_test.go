package preview_test

import (
	"errors"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/preview"
)

// A mistake is at the character that does not belong there, as people count
// characters.
func TestSyntaxErrorsNameTheirPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int{
		`{type}`:                        {1, 2},
		"{\n  \"type\": track\n}":       {2, 13}, // the first that "true" has not
		`{"event":"Käufe",}`:            {1, 18},
		"{\"a\":1}\n\n{\"b\":\"x\n\"}":  {3, 8}, // a line break in a string
		`{"type":`:                      {1, 9},
		"{\"type\":\"track\",\n":        {2, 1},
		`[{"type":"track"} {"type":1}]`: {1, 19},
	} {
		_, err := preview.ParseCalls([]byte(text), "app", time.Now())
		var syntax *preview.SyntaxError
		if !errors.As(err, &syntax) || [2]int{syntax.Line, syntax.Column} != want {
			t.Errorf("%s: %v, want line %d, column %d", text, err, want[0], want[1])
		}
	}
}
