package siege

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// inFlight bounds the requests of an attack that wait for an answer.
	inFlight       = 4
	requestTimeout = 10 * time.Second
)

// flood sends a request again and again, so many a second.
func (a *assault) flood(ctx context.Context, attack attack, perSecond int, dial dialFunc) {
	client := &http.Client{
		Timeout: requestTimeout,
		Transport: &http.Transport{
			DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			MaxIdleConnsPerHost: inFlight,
		},
	}
	defer client.CloseIdleConnections()
	pace := rate.NewLimiter(rate.Limit(perSecond), 1)
	var senders sync.WaitGroup
	for range inFlight {
		senders.Go(func() {
			for pace.Wait(ctx) == nil {
				what := send(ctx, client, a.target, attack.request(a.target))
				if ctx.Err() == nil {
					a.count(attack.name, what)
				}
			}
		})
	}
	senders.Wait()
}

// send sends a request and says what came of it: a status, or "refused".
func send(ctx context.Context, client *http.Client, target Target, r request) string {
	sent, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+target.Address+r.path, bytes.NewReader(r.body))
	if err != nil {
		panic(err) // the address is ours
	}
	if r.user != "" {
		sent.SetBasicAuth(r.user, "")
	}
	for name, value := range r.headers {
		sent.Header.Set(name, value)
	}
	answer, err := client.Do(sent)
	if err != nil {
		return "refused"
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body) // the status says all
	return strconv.Itoa(answer.StatusCode)
}
