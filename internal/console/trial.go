package console

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/live"
	"github.com/verobridge/verobridge/internal/story"
)

const (
	// trialTime is for how long a test event is followed.
	trialTime = 2 * time.Minute
	// trialsKept is how many are remembered.
	trialsKept = 16
	// trialAsk is how often the warehouse is asked what it knows, beside the feed,
	// which may leave something out when much comes in.
	trialAsk = time.Second
	// trialPerson is whom a test event is about where nobody says.
	trialPerson = "verobridge-test"
	trialEvent  = "Test Event"
)

// trialForm is the form for a test event.
type trialForm struct{ Sources []string }

// Person and Event are what the form says at first.
func (trialForm) Person() string { return trialPerson }

// Event is the name of the event that the form says at first.
func (trialForm) Event() string { return trialEvent }

// trial is a test event on its way.
type trial struct {
	ID, Source, Event, Person string
	Call                      json.RawMessage
	// places are where it has to come to.
	places []string

	mu       sync.Mutex
	sentAt   time.Time
	accepted time.Duration // 0 until it is
	problem  error
	reports  map[string]delivery.Report // by destination
	over     bool
	changed  chan struct{}
}

// trials are the last test events.
type trials struct {
	mu   sync.Mutex
	list []*trial // oldest first
}

func (t *trials) add(one *trial) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, one)
	t.list = t.list[max(len(t.list)-trialsKept, 0):]
}

// find forgets those of people who were erased, and returns the one of an id.
func (t *trials) find(id string, erased func(event.Event) bool) *trial {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = slices.DeleteFunc(t.list, func(one *trial) bool {
		return erased(event.Event{ID: one.ID, Type: event.Track, Source: one.Source, Body: one.Call})
	})
	if i := slices.IndexFunc(t.list, func(one *trial) bool { return one.ID == id }); i >= 0 {
		return t.list[i]
	}
	return nil
}

// beginTrial sends a test event as an app of a source would, and follows it.
func (c *Console) beginTrial(r *http.Request) (location string, err error) {
	t := &trial{
		ID: "verobridge-test-" + strings.ToLower(rand.Text()), Source: r.PostFormValue("source"),
		Event: strings.TrimSpace(r.PostFormValue("event")), Person: strings.TrimSpace(r.PostFormValue("person")),
		reports: make(map[string]delivery.Report), changed: make(chan struct{}),
	}
	if !c.hasApp(t.Source) {
		return "", &problem{http.StatusBadRequest, "There is no such source", "Go back and choose one of the list.", nil}
	}
	if t.Event == "" {
		t.Event = trialEvent
	}
	if t.Person == "" {
		t.Person = trialPerson
	}
	call := map[string]any{
		"type": "track", "messageId": t.ID, "userId": t.Person, "event": t.Event, "properties": map[string]any{"test": true},
	}
	if email := strings.TrimSpace(r.PostFormValue("email")); email != "" {
		call["context"] = map[string]any{"traits": map[string]any{"email": email}}
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // it is shown as it is sent
	if err := encoder.Encode(call); err != nil {
		return "", err
	}
	t.Call = body.Bytes()
	t.places = append([]string{warehouseName}, c.o.Routes[t.Source]...)
	c.trials.add(t)
	c.working.Go(func() { c.follow(t) })
	return "/setup/test?" + url.Values{"id": {t.ID}}.Encode(), nil
}

var errTrialOver = errors.New("it has come to its end")

// follow sends a test event when everything that becomes of it can be seen, and
// looks on until it has come to its end everywhere.
func (c *Console) follow(t *trial) {
	ctx, cancel := context.WithTimeout(c.closing, trialTime)
	defer cancel()
	asking := sync.WaitGroup{}
	asking.Go(func() { c.ask(ctx, t) })
	defer asking.Wait()
	defer cancel()
	sent := false
	err := c.o.Feed.Watch(ctx, live.Filter{MessageID: t.ID}, 0, func(batch live.Batch) error {
		if !sent {
			sent = true
			t.begin(c.o.Now())
			if err := c.o.Setup.Send(ctx, t.Source, t.Call); err != nil {
				return err
			}
			t.accept(c.o.Now())
		}
		if t.note(batch.Reports) {
			return errTrialOver
		}
		return nil
	})
	switch {
	case errors.Is(err, errTrialOver), ctx.Err() != nil:
		t.end(nil)
	default:
		t.end(err)
	}
}

// ask asks the warehouse now and then what has become of a test event.
func (c *Console) ask(ctx context.Context, t *trial) {
	ticker := time.NewTicker(trialAsk)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if reports, err := c.o.Story.Reports(ctx, []string{t.ID}); err == nil && t.note(reports) {
				t.end(nil)
			}
		}
	}
}

// change changes what is known, and tells who waits for it.
func (t *trial) change(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	do()
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *trial) begin(now time.Time) { t.change(func() { t.sentAt = now }) }

func (t *trial) accept(now time.Time) {
	t.change(func() { t.accepted = max(now.Sub(t.sentAt), time.Microsecond) })
}

func (t *trial) end(problem error) {
	t.change(func() {
		if !t.over {
			t.problem, t.over = problem, true
		}
	})
}

// note remembers what has become of the event, and says whether that is the end of
// it everywhere. What is known as final stays so.
func (t *trial) note(reports []delivery.Report) (over bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	news := false
	for _, r := range reports {
		if r.MessageID != t.ID || r.Source != t.Source || isFinal(t.reports[r.Destination]) {
			continue
		}
		news = news || t.reports[r.Destination].Status != r.Status || t.reports[r.Destination].Attempts != r.Attempts
		t.reports[r.Destination] = r
	}
	if news {
		close(t.changed)
		t.changed = make(chan struct{})
	}
	return !slices.ContainsFunc(t.places, func(place string) bool { return !isFinal(t.reports[place]) })
}

// isFinal says whether nothing more happens by itself.
func isFinal(r delivery.Report) bool {
	return r.Status != "" && r.Status != delivery.StatusWaiting && r.Status != delivery.StatusHeld
}

// trialPage is how far a test event is.
type trialPage struct {
	ID, Source, Event, Person string
	Call                      json.RawMessage
	Accepted                  time.Duration
	Problem                   string
	Over                      bool
	Places                    []trialPlace
	Stream                    string
}

type trialPlace struct {
	Name   string
	Report delivery.Report // without a status while there is none
	// Pause says why the place takes nothing, nil while it does.
	Pause *story.Verdict
}

// addPauses says of places that are still to be reached if they are paused. What it
// returns is closed when that may have changed.
func (c *Console) addPauses(p *trialPage) (changed <-chan struct{}) {
	states, changed := c.history.all()
	if len(states) == 0 {
		return changed
	}
	for i, place := range p.Places {
		for _, d := range states[len(states)-1].Destinations {
			if d.Destination == place.Name && !d.PausedSince.IsZero() && !isFinal(place.Report) {
				why := story.Paused(d.Reason)
				p.Places[i].Pause = &why
			}
		}
	}
	return changed
}

// look returns how far the event is, and what is closed when it is further.
func (t *trial) look() (p trialPage, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p = trialPage{
		ID: t.ID, Source: t.Source, Event: t.Event, Person: t.Person, Call: t.Call, Accepted: t.accepted, Over: t.over,
		Stream: "/setup/test/stream?" + url.Values{"id": {t.ID}}.Encode(),
	}
	if t.problem != nil {
		p.Problem = t.problem.Error()
	}
	reports := maps.Clone(t.reports)
	for _, place := range t.places {
		p.Places = append(p.Places, trialPlace{Name: place, Report: reports[place]})
	}
	return p, t.changed
}

func (c *Console) trial(r *http.Request) (any, error) {
	t := c.trials.find(r.URL.Query().Get("id"), c.o.Erased)
	if t == nil {
		return nil, &problem{http.StatusNotFound, "This test event is not followed any more", "Send another one from the page Setup, or look for this one among the deliveries.", nil}
	}
	p, _ := t.look()
	c.addPauses(&p)
	return p, nil
}

// streamTrial sends how far a test event is, until it has come to its end.
func (c *Console) streamTrial(w http.ResponseWriter, r *http.Request) {
	t := c.trials.find(r.URL.Query().Get("id"), c.o.Erased)
	if t == nil {
		http.NotFound(w, r)
		return
	}
	c.stream(w, r, func(ctx context.Context, send func([]byte) error) error {
		for c.trials.find(t.ID, c.o.Erased) == t {
			p, changed := t.look()
			later := c.addPauses(&p)
			html, err := c.fragment("trial", "progress", p)
			if err != nil {
				return err
			}
			if err := send(html); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
			case <-later:
			case <-time.After(streamWrite):
			}
		}
		return nil
	})
}
