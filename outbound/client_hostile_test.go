package outbound

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// An answer without an end costs neither memory nor time: its status is the
// verdict.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	sent := make(chan int64, 1)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n, _ := io.CopyN(w, endless{}, 1<<30)
		sent <- n
	}))
	t.Cleanup(web.Close)
	v := newVero(t, VeroOptions{Name: "vero", URL: web.URL, AuthToken: secret})
	o := v.Deliver(t.Context(), []event.Event{track(t, "m-1", "1", "A")})[0]
	if verdict(o) != "delivered delivered" || len(o.Calls()[0].Answer) != maxAnswerBytes {
		t.Errorf("%s, %d bytes of the answer are kept", o.Detail(), len(o.Calls()[0].Answer))
	}
	// What is on its way when the connection is closed depends on the buffers of
	// both sides.
	if n := <-sent; n > 64<<20 {
		t.Errorf("the server got rid of %d bytes", n)
	}
}

// endless is what an endless answer is made of.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// An answer that trickles is given up after the timeout, and judged by what came
// of it.
func TestTricklingAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string // before it trickles
		want   string
	}{
		"the body":   {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"status\":200", "delivered delivered"},
		"a refusal":  {"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000\r\n\r\n{", "dead bad_request"},
		"the header": {"HTTP/1.1 200 OK\r\nX-Slow: ", "waiting unanswered"},
		"all of it":  {"", "waiting unanswered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, out, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				for _, err := out.WriteString(tt.answer); err == nil && out.Flush() == nil; _, err = out.WriteString("x") {
					<-time.After(20 * time.Millisecond)
				}
			}))
			t.Cleanup(web.Close)
			v := newVero(t, VeroOptions{Name: "vero", URL: web.URL, AuthToken: secret, Timeout: 300 * time.Millisecond})
			started := time.Now()
			o := v.Deliver(t.Context(), []event.Event{track(t, "m-1", "1", "A")})[0]
			if verdict(o) != tt.want {
				t.Errorf("%s, want %s", o.Detail(), tt.want)
			}
			if took := time.Since(started); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// A header without an end is no answer.
func TestEndlessHeader(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeaderBytes))
	}))
	t.Cleanup(web.Close)
	v := newVero(t, VeroOptions{Name: "vero", URL: web.URL, AuthToken: secret})
	if o := v.Deliver(t.Context(), []event.Event{track(t, "m-1", "1", "A")})[0]; verdict(o) != "waiting unanswered" {
		t.Error(o.Detail())
	}
}
