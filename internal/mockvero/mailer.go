package mockvero

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// mailWorkers is how many emails are under way at once.
	mailWorkers = 64
	// mailQueue is how many more may wait.
	mailQueue = 1024
	// reportAttempts is how often a report is tried.
	reportAttempts = 5
	// reportBackoff is the pause after the first attempt; it doubles.
	reportBackoff = 100 * time.Millisecond
	// reportTimeout bounds one attempt.
	reportTimeout = 5 * time.Second
)

// mailer sends emails, which is to say that it reports what happens to them.
type mailer struct {
	server    *Server
	http      *http.Client
	workflows map[string]bool // nil: all
	queue     chan email
	stopping  chan struct{} // closed: no more pauses
	workers   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	started  int // emails so far
	reported map[string]int
	dropped  int
}

func newMailer(s *Server) *mailer {
	m := &mailer{
		server:   s,
		http:     &http.Client{Timeout: reportTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: mailWorkers, IdleConnTimeout: 30 * time.Second}},
		queue:    make(chan email, mailQueue),
		stopping: make(chan struct{}),
		reported: make(map[string]int),
	}
	if s.options.Workflows != nil {
		m.workflows = make(map[string]bool)
		for _, name := range s.options.Workflows {
			m.workflows[sameName(name)] = true
		}
	}
	for range mailWorkers {
		m.workers.Go(func() {
			for mail := range m.queue {
				m.run(mail)
			}
		})
	}
	return m
}

// send starts an email, if a workflow is set to its event. It does not block.
func (m *mailer) send(mail email) {
	if m.workflows != nil && !m.workflows[sameName(mail.event)] {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	mail.at = m.server.now()
	mail.number = m.started
	select {
	case m.queue <- mail:
		m.started++
	default:
		m.dropped++
	}
}

// close waits for the emails that were started.
func (m *mailer) close() {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		close(m.stopping)
		close(m.queue)
	}
	m.mu.Unlock()
	m.workers.Wait()
	m.http.CloseIdleConnections()
}

func (m *mailer) counts() (reported map[string]int, dropped int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.reported), m.dropped
}

// run reports one email from start to end.
func (m *mailer) run(mail email) {
	for i, k := range mail.course() {
		if i > 0 {
			m.pause(m.server.options.Pace)
		}
		m.server.suffer(mail, k)
		err := m.report(mail, k, m.server.now())
		m.mu.Lock()
		if err == nil {
			m.reported[string(k)]++
		} else {
			m.dropped++
		}
		m.mu.Unlock()
		if err != nil {
			m.server.logger.Warn("the bridge did not take a report; it is dropped", "type", k, "error", err)
		}
	}
}

// suffer applies what a report means for the person.
func (s *Server) suffer(mail email, k kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.state.users[mail.userID]
	if u == nil {
		return
	}
	switch k {
	case unsubscribed:
		u.Subscribed = false
	case bounced, complained:
		u.Suppressed = true
	}
}

// report posts one report until the bridge takes it, or refuses it, or the
// attempts are used up. The same bytes go out each time.
func (m *mailer) report(mail email, k kind, at time.Time) error {
	o := m.server.options
	base := strings.TrimRight(o.Bridge, "/")
	target, body := base+"/webhooks/vero/"+url.PathEscape(o.WriteKey), mail.webhook(k, at)
	if o.Form == FormSegment {
		target, body = base+"/v1/track", mail.segmentCall(k, at)
	}
	backoff := reportBackoff
	for attempt := 1; ; attempt++ {
		passing, err := m.post(target, body)
		if err == nil || !passing || attempt == reportAttempts {
			return err
		}
		if !m.pause(backoff) {
			return err
		}
		backoff *= 2
	}
}

// post makes one attempt. passing says whether another one may succeed.
func (m *mailer) post(target string, body []byte) (passing bool, err error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the bridge's URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	if m.server.options.Form == FormSegment {
		req.SetBasicAuth(m.server.options.WriteKey, "")
	}
	res, err := m.http.Do(req)
	if err != nil {
		// Without the URL, which has the write key in it.
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return true, err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return false, nil
	}
	passing = res.StatusCode >= 500 || slices.Contains([]int{http.StatusRequestTimeout, http.StatusTooManyRequests}, res.StatusCode)
	return passing, fmt.Errorf("the bridge answered %d", res.StatusCode)
}

// pause waits. It returns false, at once, when the server is closing.
func (m *mailer) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-m.stopping:
		return false
	}
}
