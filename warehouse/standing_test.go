package warehouse

import (
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// What the bridge says of itself replaces what it said before; what it promised
// stays promised, and what is gone from the settings is gone.
func TestWriteState(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	began := time.Date(2026, 6, 6, 10, 0, 0, 0, time.UTC)
	write := func(after time.Duration, routes []string, standings ...delivery.Standing) {
		t.Helper()
		s := State{Started: began, At: began.Add(after), Sources: []SourceState{{"app", "app", "server", routes}}}
		for _, st := range standings {
			s.Destinations = append(s.Destinations, DestinationState{"vero", st})
		}
		if err := f.WriteState(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	const destinations = `
		select name, state, reason, extract(epoch from since - '2026-06-06 10:00Z')::int as since,
		       extract(epoch from complete_until - '2026-06-06 10:00Z')::int as complete
		from verobridge.destinations order by name`
	write(0, []string{"vero", "posthog"},
		delivery.Standing{Destination: "vero", CompleteUntil: began.Add(-time.Second)}, delivery.Standing{Destination: "posthog"})
	write(time.Minute, []string{"vero", "posthog"},
		delivery.Standing{Destination: "vero", PausedSince: began.Add(50 * time.Second), Reason: delivery.ReasonRefused, Detail: "401", BehindSince: began, Backlog: 3},
		delivery.Standing{Destination: "posthog", CompleteUntil: began})
	f.want(destinations,
		`{"name":"posthog","state":"running","since":0,"complete":0}`,
		`{"name":"vero","state":"paused","reason":"credentials_refused","since":50,"complete":-1}`)
	write(90*time.Second, []string{"vero", "posthog"}, delivery.Standing{Destination: "vero", Elsewhere: true}, delivery.Standing{Destination: "posthog"})
	f.want(destinations,
		`{"name":"posthog","state":"running","since":0,"complete":0}`,
		`{"name":"vero","state":"paused","reason":"credentials_refused","since":50,"complete":-1}`)
	write(2*time.Minute, []string{"vero"}, delivery.Standing{Destination: "vero"})
	f.want(destinations,
		`{"name":"posthog","state":"gone","since":120}`,
		`{"name":"vero","state":"running","since":120,"complete":-1}`)
	f.want(`select source, destination from verobridge.routes`, `{"source":"app","destination":"vero"}`)
	f.want(`select name, trust, schema from verobridge.sources`, `{"name":"app","trust":"server","schema":"app"}`)
}

// The sample of refused requests is found by messageId and stays small.
func TestWriteRefusals(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	write := func(refusals ...event.Refusal) {
		t.Helper()
		if err := f.WriteRefusals(t.Context(), refusals); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2026, 6, 6, 10, 0, 0, 0, time.UTC)
	write(event.Refusal{At: at, Reason: "unknown_write_key", Detail: "no", Key: "abcd", MessageIDs: []string{"m,1", `m"2`}, Calls: 2, Requests: 1},
		event.Refusal{At: at, Reason: "payload_too_large", Detail: "too large", Source: "app", Requests: 7})
	f.want(`select reason, source, write_key, calls, requests from verobridge.refusals where message_ids @> array['m"2']`,
		`{"reason":"unknown_write_key","write_key":"abcd","calls":2,"requests":1}`)
	f.want(`select source, cardinality(message_ids) as ids from verobridge.refusals where reason = 'payload_too_large'`, `{"source":"app","ids":0}`)

	many := make([]event.Refusal, maxRefusals)
	for i := range many {
		many[i] = event.Refusal{At: at, Reason: "missing_write_key", Requests: 1}
	}
	write(many...)
	f.want(`select reason, count(*) from verobridge.refusals group by 1`, `{"reason":"missing_write_key","count":10000}`)
}
