package sdktest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

var contentLength = regexp.MustCompile(`(?i)(content-length: )\d+`)

// Captured returns a request of an SDK as it was on the wire. The file holds it as
// it was, but for a body that came compressed, which it holds as text under a
// first line that says so.
func Captured(t testing.TB, file string) string {
	t.Helper()
	content, err := os.ReadFile(file) //nolint:gosec // a test's own file
	if err != nil {
		t.Fatal(err)
	}
	request := string(content)
	note, rest, _ := strings.Cut(request, "\n")
	if !strings.HasPrefix(note, "# NOTE: body was gzip") {
		return request
	}
	head, body, _ := strings.Cut(rest, "\r\n\r\n")
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return contentLength.ReplaceAllString(head, fmt.Sprintf("${1}%d", zipped.Len())) + "\r\n\r\n" + zipped.String()
}
