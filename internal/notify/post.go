package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// deliver sends a message, again and again while that may help. Its errors do not
// show the webhook's URL.
func (n *Notifier) deliver(ctx context.Context, m message) error {
	body, err := m.payload(n.o.Bridge)
	if err != nil {
		return fmt.Errorf("write a message: %w", err)
	}
	for wait := n.o.Again; ; wait = min(2*wait, mostWait) {
		asked, err := n.post(ctx, body)
		var refused *refusedError
		switch {
		case err == nil:
			n.sent.WithLabelValues(resultSent).Inc()
			return nil
		case errors.As(err, &refused) && !refused.passing():
			return err
		case n.o.Now().Sub(m.at) > mostAge:
			return fmt.Errorf("tried for %s: %w", mostAge, err)
		}
		timer := time.NewTimer(min(max(wait, asked), mostWait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// refusedError is an answer that is no success.
type refusedError struct{ status int }

// Error implements error.
func (e *refusedError) Error() string {
	return fmt.Sprintf("the webhook answers %d %s", e.status, http.StatusText(e.status))
}

// passing says whether the same message may be taken later.
func (e *refusedError) passing() bool {
	return e.status == http.StatusTooManyRequests || e.status == http.StatusRequestTimeout || e.status >= 500
}

// post makes one attempt. It returns how long the webhook asks to wait, if it does.
func (n *Notifier) post(ctx context.Context, body []byte) (asked time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, n.o.URL, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the url cannot be used")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "verobridge")
	answer, err := n.client.Do(request)
	var failed *url.Error
	if errors.As(err, &failed) { // it names the URL
		return 0, failed.Err
	}
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return 0, nil
	}
	seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After")) // Slack sends seconds
	return time.Duration(seconds) * time.Second, &refusedError{answer.StatusCode}
}
