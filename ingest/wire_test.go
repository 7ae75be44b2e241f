package ingest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/ingest"
)

// TestWire replays requests of real SDKs byte for byte over a socket.
func TestWire(t *testing.T) {
	t.Parallel()
	for _, file := range samples(t, "wire/*.http") {
		name := strings.TrimSuffix(filepath.Base(file), ".http")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, ingest.Options{})
			request := captured(t, file)
			res := exchange(t, d.Listener.Addr().String(), request)
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			fmt.Fprintf(&got, "%s\n", res.Status)
			res.Header.Del("Date")
			if err := res.Header.Write(&got); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "\n%s\n\n%s", body, written(t, d.spool.take()))
			golden(t, strings.TrimSuffix(file, ".http")+".golden", strings.ReplaceAll(got.String(), "\r\n", "\n"))
		})
	}
}

var contentLength = regexp.MustCompile(`(?i)(content-length: )\d+`)

// captured returns a request as it was on the wire.
func captured(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	request := string(content)
	note, rest, _ := strings.Cut(request, "\n")
	if !strings.HasPrefix(note, "# NOTE: body was gzip") {
		return request
	}
	head, body, _ := strings.Cut(rest, "\r\n\r\n")
	body = compressed(t, body)
	return contentLength.ReplaceAllString(head, fmt.Sprintf("${1}%d", len(body))) + "\r\n\r\n" + body
}

// exchange writes a request to a new connection and reads the answer.
func exchange(t *testing.T, addr, request string) *http.Response {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	return res
}
