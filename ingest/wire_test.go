package ingest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verobridge/verobridge/ingest"
	"github.com/verobridge/verobridge/internal/sdktest"
)

// TestWire replays requests of real SDKs byte for byte over a socket.
func TestWire(t *testing.T) {
	t.Parallel()
	for _, file := range samples(t, "wire/*.http") {
		name := strings.TrimSuffix(filepath.Base(file), ".http")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, ingest.Options{})
			request := sdktest.Captured(t, file)
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
