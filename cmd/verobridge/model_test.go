package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/mockvero"
)

var (
	modelRuns = flag.Int("model", 5, "how many random stories the model test goes through")
	modelSeed = flag.Int("model-seed", 0, "the seed of the first of them, 0 for another one each time")
)

// step is a part of a story: what happens to the bridge or to Vero.
type step struct {
	Do     string
	Person int
	Events int
	Refuse bool // the first of the events, for good
	Fault  mockvero.Fault
}

// stories are random ones of sending, failing, crashing and starting again.
func stories() *rapid.Generator[[]step] {
	faults := rapid.SampledFrom([]mockvero.Fault{
		{Status: http.StatusInternalServerError, Count: 3},
		{Status: http.StatusInternalServerError, Count: 40}, // for everybody: it counts as down
		{Status: http.StatusUnauthorized, Count: 2},
		{Status: http.StatusTooManyRequests, Count: 1},
		{Status: http.StatusBadGateway, Count: 2},
		{Reset: true, Count: 2},
		{Reset: true, Apply: true, Count: 2},
		{Delay: time.Minute, Apply: true, Status: http.StatusOK, Count: 1},
	})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			Do: rapid.SampledFrom([]string{
				"send", "send", "send", "send", "send", "fault", "fault", "shut", "open", "kill", "stop", "wait", "wait",
			}).Draw(t, "do"),
			Person: rapid.IntRange(0, 4).Draw(t, "person"),
			Events: rapid.IntRange(1, 5).Draw(t, "events"),
			Refuse: rapid.IntRange(0, 9).Draw(t, "refuse") == 0,
			Fault:  faults.Draw(t, "fault"),
		}
	}), 15, 40)
}

// Whatever Vero answers, and however often it cannot be reached, the program is
// killed or stopped: each event that was accepted has its effect at Vero once, in
// the order of its person, or is dead because Vero refuses it; and says so.
func TestStoriesEndWell(t *testing.T) {
	t.Parallel()
	seed := cmp.Or(*modelSeed, int(time.Now().UnixNano()%1_000_000))
	for n := range *modelRuns {
		t.Run(fmt.Sprint("seed ", seed+n), func(t *testing.T) {
			t.Parallel()
			liveThrough(t, stories().Example(seed+n))
		})
	}
}

// liveThrough goes through a story and checks how it ends.
func liveThrough(t *testing.T, story []step) {
	vero := mockvero.New(mockvero.Options{AuthToken: veroToken, Window: time.Hour})
	refusals := &refusals{next: vero}
	door := newDoor(t, refusals)
	child := &modelChild{t: t, dir: t.TempDir(), vero: door.url()}
	sent := make(map[string][]string) // by person, those that Vero does not refuse
	fates := make(map[string]delivery.Status)
	total := 0
	for _, s := range story {
		switch s.Do {
		case "send":
			var batch []event.Event
			person := fmt.Sprint("person", s.Person)
			for i := range s.Events {
				total++
				id := fmt.Sprintf("m%04d", total)
				body := fmt.Appendf(nil, `{"type":"track","messageId":%q,"userId":%q,"event":"Told"}`, id, person)
				batch = append(batch, event.Event{ID: id, Type: event.Track, Source: "app", ReceivedAt: time.Now().UTC(), Body: body})
				if fates[id] = delivery.StatusDelivered; s.Refuse && i == 0 {
					fates[id] = delivery.StatusDead
					refusals.add(id)
					continue
				}
				sent[person] = append(sent[person], id)
			}
			child.send(batch)
		case "fault":
			vero.Fault(s.Fault)
		case "shut":
			door.shut()
		case "open":
			door.open()
		case "kill":
			child.kill()
		case "stop":
			child.stop()
		case "wait":
			pause(t, time.Duration(s.Events)*10*time.Millisecond)
		}
	}
	door.open()
	for id, fate := range fates {
		awaitCondition(t, "the fate of "+id, func() bool { return child.fate(id) == fate })
	}
	child.stop()
	effects := make(map[string][]string)
	for person, user := range vero.Effects().Users {
		for _, e := range user.Events {
			effects[person] = append(effects[person], messageID(t, e))
		}
	}
	if diff := gocmp.Diff(sent, effects); diff != "" {
		t.Errorf("effects at Vero (-want +got):\n%s\n%s", diff, storyText(story))
	}
	t.Logf("%d events, %d starts, %d calls", total, child.starts, vero.Totals().Calls)
}

func storyText(story []step) string {
	var text strings.Builder
	for _, s := range story {
		fmt.Fprintf(&text, "%s %d×%d refuse=%t %+v\n", s.Do, s.Person, s.Events, s.Refuse, s.Fault)
	}
	return text.String()
}

// refusals refuses some events for good, before anything else can happen to
// them.
type refusals struct {
	next http.Handler
	mu   sync.Mutex
	ids  []string
}

func (r *refusals) add(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = append(r.ids, id)
}

func (r *refusals) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the caller has gone
	}
	r.mu.Lock()
	refused := slices.ContainsFunc(r.ids, func(id string) bool { return bytes.Contains(body, []byte(id)) })
	r.mu.Unlock()
	if refused {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	r.next.ServeHTTP(w, request)
}

// door is Vero's address, which can be shut: then connections are refused.
type door struct {
	t       *testing.T
	handler http.Handler
	address string
	server  *http.Server // nil while shut
}

func newDoor(t *testing.T, handler http.Handler) *door {
	d := &door{t: t, handler: handler, address: "127.0.0.1:0"}
	d.open()
	t.Cleanup(d.shut)
	return d
}

func (d *door) url() string { return "http://" + d.address + "/api/v2" }

func (d *door) open() {
	if d.server != nil {
		return
	}
	var listener net.Listener
	awaitCondition(d.t, "Vero's address to be free", func() bool {
		var err error
		listener, err = net.Listen("tcp", d.address)
		return err == nil
	})
	d.address = listener.Addr().String()
	d.server = &http.Server{Handler: d.handler, ReadHeaderTimeout: time.Minute}
	go func(s *http.Server) { _ = s.Serve(listener) }(d.server) // it says that it was closed
}

func (d *door) shut() {
	if d.server != nil {
		_ = d.server.Close()
		d.server = nil
	}
}

// modelChild is a process that has a spool and delivers it to Vero, as the bridge
// does. It takes batches on its standard input, and writes "accepted" and the
// reports to its standard output.
type modelChild struct {
	t         *testing.T
	dir, vero string
	starts    int

	command *exec.Cmd // nil while it does not run
	stdin   io.WriteCloser
	replies chan bool
	read    chan struct{}

	mu    sync.Mutex
	fates map[string]delivery.Status
}

func (c *modelChild) start() {
	if c.command != nil {
		return
	}
	c.t.Helper()
	c.starts++
	c.command = exec.Command(os.Args[0])
	c.command.Env = append(os.Environ(), modelEnvironment+"="+c.dir, "VERO_URL="+c.vero)
	c.command.Stderr = c.t.Output()
	var err error
	if c.stdin, err = c.command.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.command.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.kill)
	c.replies, c.read = make(chan bool, 1), make(chan struct{})
	go c.listen(out, c.replies, c.read)
}

func (c *modelChild) listen(out io.Reader, replies chan<- bool, read chan<- struct{}) {
	defer close(read)
	defer close(replies)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == modelAccepted {
			replies <- true
			continue
		}
		var r delivery.Report
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue // half a line of one that was killed
		}
		c.mu.Lock()
		if c.fates == nil {
			c.fates = make(map[string]delivery.Status)
		}
		c.fates[r.MessageID] = r.Status
		c.mu.Unlock()
	}
}

// send hands over a batch until it is accepted, as an SDK does.
func (c *modelChild) send(batch []event.Event) {
	line, err := json.Marshal(batch)
	if err != nil {
		c.t.Fatal(err)
	}
	awaitCondition(c.t, "a batch to be accepted", func() bool {
		c.start()
		if _, err := c.stdin.Write(append(line, '\n')); err != nil {
			c.kill()
			return false
		}
		if accepted := <-c.replies; !accepted {
			c.kill()
			return false
		}
		return true
	})
}

func (c *modelChild) fate(id string) delivery.Status {
	c.start()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fates[id]
}

func (c *modelChild) kill() {
	if c.command != nil {
		_ = c.command.Process.Kill() // it may have ended
		<-c.read
		_ = c.command.Wait() // it says that it was killed
		c.command = nil
	}
}

func (c *modelChild) stop() {
	if c.command != nil {
		_ = c.stdin.Close() // which tells it to stop
		<-c.read
		if err := c.command.Wait(); err != nil {
			c.t.Errorf("stop: %v", err)
		}
		c.command = nil
	}
}
