package mockvero

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"
)

// Fault is a way to misbehave, for a number of calls.
type Fault struct {
	// Status is the answer. Defaults to none: the call has its effect and is
	// answered as always, after Delay.
	Status int
	// Body is the body of that answer. Defaults to Vero's form of an error.
	Body string
	// RetryAfter is the header of that answer, seconds or a date. Defaults to
	// none.
	RetryAfter string
	// Delay is how long the answer takes. Defaults to none.
	Delay time.Duration
	// Reset closes the connection instead of answering, after the request was
	// read.
	Reset bool
	// Apply lets the call have its effect all the same: it is the answer that
	// gets lost.
	Apply bool
	// Count is how many calls are hit. Defaults to 1; a negative number means
	// until the faults are cleared.
	Count int
	// Path is the path of the calls that are hit, such as events/track.
	// Defaults to all.
	Path string
	// Match is a part of the body of the calls that are hit. Defaults to all.
	Match string
}

// Fault adds a fault. Faults are tried in the order in which they were added;
// the first that fits hits.
func (s *Server) Fault(f Fault) {
	if f.Count == 0 {
		f.Count = 1
	}
	s.faults.add(f)
}

// ClearFaults goes back to normal.
func (s *Server) ClearFaults() { s.faults.clear() }

// readFault reads a fault as POST /mock/faults takes it.
func readFault(raw []byte) (Fault, error) {
	v := gjson.ParseBytes(raw)
	if !gjson.ValidBytes(raw) || !v.IsObject() {
		return Fault{}, errors.New("a fault is a JSON object")
	}
	f := Fault{
		Status:     int(v.Get("status").Int()),
		Body:       v.Get("body").String(),
		RetryAfter: v.Get("retry_after").String(),
		Delay:      time.Duration(v.Get("delay_ms").Int()) * time.Millisecond,
		Reset:      v.Get("reset").Bool(),
		Apply:      v.Get("apply").Bool(),
		Count:      int(v.Get("count").Int()),
		Path:       v.Get("path").String(),
		Match:      v.Get("match").String(),
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return Fault{}, errors.New("status must be between 200 and 599")
	}
	if f.Status == 0 && f.Delay <= 0 && !f.Reset {
		return Fault{}, errors.New("a fault needs one of status, delay_ms and reset")
	}
	return f, nil
}

// refuses says whether the fault replaces the answer.
func (f Fault) refuses() bool { return f.Reset || f.Status != 0 }

func (f Fault) answerStatus() int {
	if f.Reset {
		return 0
	}
	return f.Status
}

// wait takes the fault's time. It returns false when the caller has gone.
func (f Fault) wait(ctx context.Context) bool {
	if f.Delay <= 0 {
		return true
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer misbehaves.
func (f Fault) answer(w http.ResponseWriter) {
	if f.Reset {
		// The way to make net/http drop the connection without an answer.
		panic(http.ErrAbortHandler)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.Body == "" {
		answer(w, f.Status, http.StatusText(f.Status))
		return
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body)) // the caller has gone; nobody to tell
}

// faults are those that are set.
type faults struct {
	mu   sync.Mutex
	list []Fault
}

func (fs *faults) add(f Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = append(fs.list, f)
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = nil
}

// take returns the fault that hits a call, and uses it up by one.
func (fs *faults) take(path string, body []byte) (Fault, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	i := slices.IndexFunc(fs.list, func(f Fault) bool {
		return (f.Path == "" || strings.Trim(f.Path, "/") == path) && bytes.Contains(body, []byte(f.Match))
	})
	if i < 0 {
		return Fault{}, false
	}
	f := fs.list[i]
	switch {
	case f.Count == 1:
		fs.list = slices.Delete(fs.list, i, i+1)
	case f.Count > 1:
		fs.list[i].Count--
	}
	return f, true
}
