package outbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// VeroURL is the base URL of Vero's Track API.
const VeroURL = "https://api.getvero.com/api/v2"

// grace is how long calls that are under way may go on when the program stops.
// A call that is cut off and made again after a longer stop is a second event
// at Vero, whose memory for equal ones is minutes long.
const grace = 5 * time.Second

// defaultBudget is how long a delivery begins new events. It is far below the
// minutes for which Vero remembers an event: what was sent is forgotten if the
// program is killed before the delivery returns.
const defaultBudget = 20 * time.Second

// tailShare and leastShare say how long a delivery goes on when all people have
// begun: a tenth of what it took until then, which bounds the loss by idle
// connections, and at least a hundredth of the budget, so that one person's events
// do not cost a delivery each.
const (
	tailShare  = 10
	leastShare = 100
)

// defaultTimeout is how long an answer may take.
const defaultTimeout = 15 * time.Second

// equalFor is for how long an event may be sent to Vero again: less than the
// shortest time for which Vero takes equal events for one, 3 minutes
// (getvero-docs, "Track events"), by the timeout of a call.
const equalFor = 150 * time.Second

// VeroOptions are the settings of a destination of type vero.
type VeroOptions struct {
	// Name is the destination's name in the settings. Required.
	Name string
	// URL is the base URL of the Track API. Defaults to VeroURL.
	URL string
	// AllowPrivate lets URL lead to this machine or a private address. Defaults
	// to false. It means nothing where Transport is set, or where a proxy of the
	// environment makes the connections.
	AllowPrivate bool
	// AuthToken is the Tracking API key of the Vero project, or its older
	// auth_token. Required.
	AuthToken string
	// Sources names the sources whose events come from Vero. They are never
	// sent back. Defaults to none; events that say themselves that they are
	// Vero's are recognised anyway.
	Sources []string
	// Browsers names the sources whose write keys everybody can read, and what
	// their events may do. Defaults to none: all sources are trusted.
	Browsers map[string]Browser
	// Preset is how events become calls, such as PresetSegment. Defaults to
	// PresetDefault.
	Preset string
	// Mapping is where that is to be different. Defaults to nowhere.
	Mapping Mapping
	// Events says what is special about the events of a name, by the name that
	// the app sends. The keys page, screen, identify, group and alias mean all
	// calls of that type. Defaults to nothing.
	Events map[string]EventRule
	// Consent is what people must have agreed to. An event that unsubscribes or
	// deletes its person needs none. Defaults to nothing.
	Consent Consent
	// Concurrency is for how many people calls are made in parallel. Defaults
	// to 64.
	Concurrency int
	// Timeout bounds one call, from connecting to the end of the answer.
	// Defaults to 15 s.
	Timeout time.Duration
	// Rate bounds the calls begun in a second. Defaults to 0, no limit. When Vero
	// answers that there are too many, there are fewer for a while.
	Rate float64
	// RepeatInDoubt repeats an event whose call got no answer until it gets one,
	// also when Vero may take the repetition for another event. Defaults to
	// false: then it is repeated only while that is harmless.
	RepeatInDoubt bool
	// Budget is how long a delivery begins new events; the others have to wait
	// for the next one. Those begun are finished. Defaults to 20 s.
	Budget time.Duration
	// Transport makes the calls. Defaults to a transport that keeps Concurrency
	// connections open.
	Transport http.RoundTripper
	// Logger gets one debug line for each call. Defaults to none.
	Logger *slog.Logger
	// Registerer gets the metrics. Defaults to none.
	Registerer prometheus.Registerer
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Vero is a destination: Vero's Track API. It is safe for concurrent use.
type Vero struct {
	mapping     mapping
	triggers    map[string]*triggers // by source, those of browsers
	client      client
	url         string
	token       string
	concurrency int
	budget      time.Duration
	repeat      bool // what is in doubt
}

var _ delivery.Destination = (*Vero)(nil)

// NewVero returns the destination. An error names the setting that is wrong and
// the cure.
func NewVero(o VeroOptions) (*Vero, error) {
	if o.Name == "" {
		return nil, errors.New("destination of type vero: name is missing; give it one and keep it, its place in the spool depends on it")
	}
	base := trimURL(cmp.Or(o.URL, VeroURL))
	if err := CheckURL(base, o.AllowPrivate); err != nil {
		return nil, fmt.Errorf("destination %q: url %w", o.Name, err)
	}
	if err := checkSecret("auth_token", o.AuthToken, "copy it from Vero, Settings > Project > Tracking API keys"); err != nil {
		return nil, fmt.Errorf("destination %q: %w", o.Name, err)
	}
	if problems := o.Problems(); len(problems) > 0 {
		return nil, fmt.Errorf("destination %q: %w", o.Name, problems[0])
	}
	if o.Concurrency < 0 || o.Timeout < 0 || o.Budget < 0 {
		return nil, fmt.Errorf("destination %q: concurrency, timeout and budget must not be negative", o.Name)
	}
	if err := checkRate(o.Rate); err != nil {
		return nil, fmt.Errorf("destination %q: %w", o.Name, err)
	}
	concurrency := cmp.Or(o.Concurrency, 64)
	c, err := newClient(clientOptions{
		kind: "vero", name: o.Name, secret: o.AuthToken, rate: o.Rate,
		endpoints: []string{
			pathUsersTrack, pathUsersEdit, pathUsersDelete, pathReidentify, pathUnsubscribe, pathResubscribe, pathTags, pathEventsTrack,
		},
		transport: transportOptions{
			url: base, allowPrivate: o.AllowPrivate, parallel: concurrency,
			timeout: cmp.Or(o.Timeout, defaultTimeout), custom: o.Transport,
		},
		logger: o.Logger, registerer: o.Registerer, now: o.Now,
	})
	if err != nil {
		return nil, err
	}

	counts := make(map[string]*triggers, len(o.Browsers))
	for source, b := range o.Browsers {
		if b.TriggersPerHour < 0 {
			return nil, fmt.Errorf("destination %q: the triggers per hour of source %q must not be negative", o.Name, source)
		}
		counts[source] = newTriggers(cmp.Or(b.TriggersPerHour, defaultTriggersPerHour))
	}
	return &Vero{
		mapping:     newMapping(o),
		triggers:    counts,
		url:         base,
		token:       o.AuthToken,
		concurrency: concurrency,
		budget:      cmp.Or(o.Budget, defaultBudget),
		repeat:      o.RepeatInDoubt,
		client:      c,
	}, nil
}

// checkSecret returns an error that does not show the secret.
func checkSecret(setting, value, cure string) error {
	switch {
	case value == "":
		return fmt.Errorf("%s is missing; %s", setting, cure)
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("%s contains a space or a line break; write it without", setting)
	}
	return nil
}

// Name implements delivery.Destination.
func (v *Vero) Name() string { return v.mapping.name }

// Plan returns what the event means to Vero, without doing it.
func (v *Vero) Plan(e event.Event) Plan { return v.mapping.plan(e) }

// Deliver implements delivery.Destination. An event that was begun is finished,
// whatever the budget: to take half of its calls back is not possible, and one
// that takes longer than that would never be done.
func (v *Vero) Deliver(ctx context.Context, batch []event.Event) []delivery.Outcome {
	calling, stop := withGrace(ctx, grace)
	defer stop()
	turn, end := context.WithTimeout(ctx, v.budget)
	defer end()

	began := time.Now()
	outcomes := make([]delivery.Outcome, len(batch))
	outage := outage{end: end}
	var people errgroup.Group
	people.SetLimit(v.concurrency)
	for _, chain := range delivery.Chains(batch) {
		people.Go(func() error {
			behind := false
			for _, i := range chain {
				begin := turn
				if i == 0 {
					begin = ctx // the oldest has its turn, however long it takes
				}
				outcome := delivery.Behind()
				switch {
				case ctx.Err() != nil:
					outcome = delivery.Unavailable(delivery.ReasonStopping, context.Cause(ctx), 0)
				case !behind && begin.Err() == nil:
					outcome = v.deliver(begin, calling, batch[i])
				}
				outcomes[i] = outage.note(outcome)
				behind = behind || !outcomes[i].Final()
			}
			return nil
		})
	}
	// From now on there are people for fewer and fewer of the calls in parallel.
	// A person with many events must not keep all others waiting for the next
	// delivery.
	idle := time.AfterFunc(max(v.budget/leastShare, time.Since(began)/tailShare), end)
	defer idle.Stop()
	_ = people.Wait() // verdicts are outcomes, not errors
	return outcomes
}

// deliver makes the calls of one event, one after the other, until one fails. It
// waits for their turn as long as begin allows.
func (v *Vero) deliver(begin, calling context.Context, e event.Event) (outcome delivery.Outcome) {
	// On this goroutine nobody else would catch it, and an event that ends the
	// program would do so again after each restart.
	defer func() {
		if p := recover(); p != nil {
			outcome = delivery.Dead(delivery.ReasonBug, fmt.Errorf("panic: %v", p))
		}
	}()
	plan := v.mapping.plan(e)
	if person, found := plan.trigger(); found && v.triggers[e.Source] != nil {
		if reason := v.triggers[e.Source].take(person, e.ID, e.ReceivedAt); reason != "" {
			return delivery.Skipped(reason)
		}
	}
	if n := len(plan.Requests); n > 0 && v.client.pace.wait(begin, n) != nil {
		return delivery.Behind()
	}
	calls := make([]delivery.Call, 0, len(plan.Requests))
	var added time.Time // when the first call began that adds something
	for _, r := range plan.Requests {
		a, made := v.client.do(calling, v.call(r))
		calls = append(calls, made)
		// These two make what they name, so they are missing only where the
		// URL is wrong; the other paths may well not find their person.
		a.samePath = r.Path == pathEventsTrack || r.Path == pathUsersTrack
		a.half = !added.IsZero()
		if r.Path == pathEventsTrack && !a.half {
			added = made.At
		}
		a.window = v.harmless(added)
		switch outcome := judge(a, v.client.now(), calls...); {
		case outcome.Status() == delivery.StatusDelivered:
		case outcome.Status() == delivery.StatusDead && a.half && r.Path == pathTags:
			// As a dead letter it would be sent again, with the event that
			// succeeded.
			plan.Reason = delivery.ReasonTagsRefused
		default:
			return outcome
		}
	}
	if len(calls) > 0 {
		v.client.metrics.latency.Observe(calls[0].At.Sub(e.ReceivedAt).Seconds())
	}
	return plan.settle(calls...)
}

// harmless returns for how long the event may be repeated whose first call that
// adds something began at that time, 0 for ever. Vero counts from when it got the
// call, which was not earlier.
func (v *Vero) harmless(added time.Time) time.Duration {
	if added.IsZero() || v.repeat {
		return 0
	}
	return max(equalFor-v.client.now().Sub(added), time.Nanosecond)
}

// call adds the credentials to a request.
func (v *Vero) call(r Request) call {
	return call{
		method:   r.Method,
		url:      v.url + "/" + r.Path,
		endpoint: r.Path,
		body:     withToken(r.Body, v.token),
		shown:    withToken(r.Body, redacted),
	}
}

// withToken puts the token in front of the members of a body. In a URL it would
// end in access logs.
func withToken(body []byte, token string) []byte {
	var o object
	o.text("auth_token", token)
	return append(append(o.buf, ','), body[1:]...)
}

// withGrace returns a context that ends some time after ctx does.
func withGrace(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(wait, cancel)
		context.AfterFunc(later, func() { timer.Stop() })
	})
	return later, func() { stop(); cancel() }
}
