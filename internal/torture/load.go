package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	clients   = 4
	batchSize = 10
	people    = 25 // of each client
	// betweenBatches leaves room for what is under test: a machine that is busy
	// sending finds nothing.
	betweenBatches = 20 * time.Millisecond
	// betweenTries is the pause of a client whose batch was not taken. It is
	// shorter than that of a real SDK, to meet more moments of a start.
	betweenTries = 10 * time.Millisecond
	sendTimeout  = 5 * time.Second
)

// load is clients that send until they are stopped. Each has people of its own,
// and sends the events of a person in order.
type load struct {
	stop func()
}

func (w *world) startLoad(ctx context.Context) *load {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for client := range clients {
		running.Go(func() { w.send(ctx, client) })
	}
	return &load{stop: func() { cancel(); running.Wait() }}
}

func (w *world) send(ctx context.Context, client int) {
	for n := 0; ctx.Err() == nil; n++ {
		ids, body := batch(client, n)
		sent := time.Now()
		for !w.offer(ctx, client+n, body) {
			if ctx.Err() != nil {
				return
			}
			w.refused.Add(1)
			pause(ctx, betweenTries)
		}
		w.ledger.acknowledge(ids, time.Since(sent))
		pause(ctx, betweenBatches)
	}
}

// eventName is what every event is called. Its table is eventTable.
const (
	eventName  = "Load Sent"
	eventTable = "load_sent"
)

// batch returns the n-th batch of a client. The events of a batch are of
// different people, and each person's number grows.
func batch(client, n int) (ids []string, body []byte) {
	events := make([]map[string]any, batchSize)
	for i := range events {
		number := n*batchSize + i
		id := fmt.Sprintf("%d-%09d", client, number)
		ids = append(ids, id)
		events[i] = map[string]any{
			"type": "track", "event": eventName, "messageId": id,
			"userId":     fmt.Sprintf("person-%d-%d", client, number%people),
			"properties": map[string]any{"number": number},
		}
	}
	body, err := json.Marshal(map[string]any{"batch": events})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return ids, body
}

// numberOf returns the number of an event, which grows for each person.
func numberOf(id string) int {
	_, digits, _ := strings.Cut(id, "-")
	number, err := strconv.Atoi(digits)
	if err != nil {
		panic(fmt.Sprintf("the id %q is none of ours", id))
	}
	return number
}

// offer sends a batch to one bridge after the other, as a load balancer does that
// finds one gone, and says whether it was taken.
func (w *world) offer(ctx context.Context, first int, body []byte) bool {
	for i := range w.bridges {
		if w.post(ctx, w.bridges[(first+i)%len(w.bridges)].URL, body) {
			return true
		}
	}
	return false
}

// post sends a batch to a bridge and says whether it was taken.
func (w *world) post(ctx context.Context, url string, body []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		panic(err) // the address is ours
	}
	request.SetBasicAuth(appKey, "")
	answer, err := w.http.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return err == nil && answer.StatusCode == http.StatusOK
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
