package warehouse

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// TestConnectionsLoadSchemasSideBySide: a schema whose turn does not come keeps
// only its own events waiting.
func TestConnectionsLoadSchemasSideBySide(t *testing.T) {
	t.Parallel()
	f := open(t, Options{Connections: 2, Sources: []Source{{Name: "app"}, {Name: "web"}}})
	of := func(source, id string) event.Event {
		return eventOf(t, source, arrival, fmt.Sprintf(`{"type":"track","event":"X","userId":"u1","messageId":%q}`, id))
	}
	f.deliver(of("app", "a1"), of("web", "w1"))
	release := f.holding("select from verobridge.loads where schema = 'app' for update")
	done := make(chan []delivery.Outcome)
	go func() { done <- f.Deliver(t.Context(), []event.Event{of("app", "a2"), of("web", "w2")}) }()
	for deadline := time.Now().Add(10 * time.Second); len(f.rows("select id from web.x")) < 2; {
		if time.Now().After(deadline) {
			t.Fatal("a schema waits for the turn of another")
		}
	}
	f.want("select id from app.x", `{"id":"a1"}`)
	release()
	if got := outcomes(<-done); !slices.Equal(got, []outcome{delivered, delivered}) {
		t.Errorf("outcomes are %v", got)
	}
	f.want("select id from app.x order by id", `{"id":"a1"}`, `{"id":"a2"}`)
}

// TestConnectionsKeepOrderAndRows: whatever the number of connections, rows are
// there once, each outcome is that of its event, and users hold the latest state.
func TestConnectionsKeepOrderAndRows(t *testing.T) {
	t.Parallel()
	for _, connections := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(connections), func(t *testing.T) {
			t.Parallel()
			sources := []Source{{Name: "a"}, {Name: "b"}, {Name: "c"}}
			f := open(t, Options{Connections: connections, Sources: sources})
			for round := range 4 {
				var batch []event.Event
				var want []outcome
				for i := range 60 {
					source := append(sources, Source{Name: "unlisted"})[i%4].Name
					if i%20 == 7 {
						batch = append(batch, event.Event{ID: "bad", Type: event.Track, Source: source, ReceivedAt: arrival, Body: []byte(`{`)})
						want = append(want, outcome{Status: delivery.StatusDead, Reason: delivery.ReasonUnreadable})
						continue
					}
					// The second half of a round comes again in the next one.
					n := round*30 + i
					batch = append(batch, eventOf(t, source, arrival.Add(time.Duration(n)*time.Second), fmt.Sprintf(
						`{"type":"identify","messageId":"%d","userId":"u%d","traits":{"n":%d}}`, n, i%5, n)))
					want = append(want, delivered)
				}
				if got := outcomes(f.Deliver(t.Context(), batch)); !slices.Equal(got, want) {
					t.Errorf("outcomes of round %d are %v, want %v", round, got, want)
				}
			}
			for _, schema := range []string{"a", "b", "c", "unlisted"} {
				f.want("select count(*) = count(distinct id) as once, count(*) > 20 as many from "+schema+".identifies", `{"once":true,"many":true}`)
				f.want(`select u.id from ` + schema + `.users u where n is distinct from
					(select i.n from ` + schema + `.identifies i where i.user_id = u.id order by i.received_at desc limit 1)`)
			}
		})
	}
}
