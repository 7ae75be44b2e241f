package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say whom to tell, and of what.
type Options struct {
	// URL is the webhook. It is a secret: whoever knows it may post. Required.
	URL string
	// Bridge names the bridge in messages. Required.
	Bridge string
	// Look returns how things stand. Required.
	Look func(context.Context) (State, error)
	// Limits say from when on something is worth a message.
	Limits Limits
	// Every is how often it is looked. Defaults to 10 s.
	Every time.Duration
	// Again is the wait before a message that failed is sent again. Defaults to 1 s,
	// and doubles up to 5 min.
	Again time.Duration
	// Logger defaults to none.
	Logger *slog.Logger
	// Registerer takes the metrics. Defaults to none.
	Registerer prometheus.Registerer
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// CheckURL says what is wrong with the URL of a webhook, as the rest of a sentence
// that does not show it.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("must look like https://hooks.slack.com/services/…")
	}
	return nil
}

const (
	// maxQueue is how many messages wait to be sent at most.
	maxQueue = 50
	// The wait between two attempts grows up to mostWait, and a message is given up
	// when it is older than mostAge.
	mostWait = 5 * time.Minute
	mostAge  = time.Hour
	// postTimeout bounds one attempt.
	postTimeout = 10 * time.Second
)

// Notifier tells people when a bridge needs them.
type Notifier struct {
	o      Options
	client *http.Client
	judge  *judge
	book   *book
	sent   *prometheus.CounterVec

	mu    sync.Mutex
	queue []message // oldest first
	news  chan struct{}
}

// New returns a Notifier that has not begun. The error says what is wrong with the
// options; it does not show the URL.
func New(o Options) (*Notifier, error) {
	if err := CheckURL(o.URL); err != nil {
		return nil, fmt.Errorf("notify: the url %w", err)
	}
	o.Limits.Lag = cmp.Or(o.Limits.Lag, 15*time.Minute)
	o.Limits.FullIn = cmp.Or(o.Limits.FullIn, 24*time.Hour)
	o.Limits.Quiet = cmp.Or(o.Limits.Quiet, time.Hour)
	o.Every = cmp.Or(o.Every, 10*time.Second)
	o.Again = cmp.Or(o.Again, time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	n := &Notifier{
		o: o, judge: newJudge(o.Limits), book: newBook(), news: make(chan struct{}, 1),
		// A redirect would carry what is told to somebody else.
		client: &http.Client{
			Timeout:       postTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verobridge_notify_messages_total",
			Help: "Messages to the webhook of the settings, by what became of them.",
		}, []string{"result"}),
	}
	for _, result := range []string{resultSent, resultFailed} {
		n.sent.WithLabelValues(result)
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(n.sent); err != nil {
			return nil, fmt.Errorf("notify: %w", err)
		}
	}
	return n, nil
}

// What became of messages, as a label.
const (
	resultSent   = "sent"
	resultFailed = "failed"
)

// Run tells people until ctx ends. What is not sent by then is not sent.
func (n *Notifier) Run(ctx context.Context) {
	if n.o.Registerer != nil {
		defer n.o.Registerer.Unregister(n.sent)
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() { n.send(ctx) })
	ticker := time.NewTicker(n.o.Every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		n.look(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// look finds out what is news.
func (n *Notifier) look(ctx context.Context) {
	state, err := n.o.Look(ctx)
	if err != nil {
		if ctx.Err() == nil {
			n.o.Logger.Warn("cannot look whether somebody is to be told", "error", err)
		}
		return
	}
	news := n.book.update(state.At, n.judge.alerts(state))
	if len(news) == 0 {
		return
	}
	n.mu.Lock()
	n.queue = append(n.queue, news...)
	if more := len(n.queue) - maxQueue; more > 0 {
		n.queue = n.queue[more:]
		n.sent.WithLabelValues(resultFailed).Add(float64(more))
	}
	n.mu.Unlock()
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// next takes the oldest message that is not sent yet.
func (n *Notifier) next() (message, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) == 0 {
		return message{}, false
	}
	m := n.queue[0]
	n.queue = n.queue[1:]
	return m, true
}

// send sends messages one after the other, until ctx ends.
func (n *Notifier) send(ctx context.Context) {
	for {
		select {
		case <-n.news:
		case <-ctx.Done():
			return
		}
		for m, any := n.next(); any && ctx.Err() == nil; m, any = n.next() {
			if err := n.deliver(ctx, m); err != nil && ctx.Err() == nil {
				n.sent.WithLabelValues(resultFailed).Inc()
				n.o.Logger.Warn("a message to the webhook of notify.url is dropped", "kind", m.alert.Kind, "phase", m.phase, "error", err)
			}
		}
	}
}
