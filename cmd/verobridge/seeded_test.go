package main

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// benchEventsVariable says with how many events in the tables look-ups are
// measured. Defaults to few, for a quick run; figures in the documentation are
// those of 1,000,000.
const benchEventsVariable = "VEROBRIDGE_BENCH_EVENTS"

func benchEvents(t testing.TB) int {
	t.Helper()
	text := os.Getenv(benchEventsVariable)
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1000 {
		t.Fatalf("%s must be a number of events from 1000 on, not %q", benchEventsVariable, text)
	}
	return n
}

// seeds fill the tables as a bridge leaves them after n events of 50 people in a
// thousand, one every three seconds until now: each delivered to the warehouse and
// to Vero but for some that were skipped, refused, or wait; and three events of
// emails for ten of the app. @n is how many.
var seeds = []string{
	`insert into verobridge.deliveries (source, message_id, destination, type, event, user_id, anonymous_id, status, reason, detail, attempts, calls, received_at, settled_at)
	select 'app', 'm-' || n, d, 'track', 'Event ' || n % 40, 'user-' || n % (@n / 20), 'visitor-' || n % (@n / 20),
	       case when d = 'warehouse' then 'delivered' when n % 10 = 0 then 'skipped' when n % 5000 = 1 then 'dead' when n % 7001 = 3 then 'ambiguous' when n > @n - 100 then 'waiting' else 'delivered' end,
	       case when d = 'warehouse' then 'delivered' when n % 100 = 0 then 'no_consent' when n % 10 = 0 then 'no_identity' when n % 5000 = 1 then 'bad_request' when n % 7001 = 3 then 'ambiguous' when n > @n - 100 then 'throttled' else 'delivered' end,
	       'a sentence that says what became of the event', 1,
	       case when d = 'warehouse' then '[]' else jsonb_build_array(jsonb_build_object(
	         'method', 'POST', 'url', 'https://api.getvero.com/api/v2/events/track', 'status', 200, 'answer', '{"status":200,"message":"Success."}',
	         'request', jsonb_build_object('identity', jsonb_build_object('id', 'user-' || n), 'event_name', 'Event ' || n % 40,
	           'data', jsonb_build_object('price', n, 'segment_message_id', 'm-' || n, 'name', 'A product of the shop')))) end,
	       now() - (@n - n / 50 * 50) * interval '3 seconds', now() - (@n - n) * interval '3 seconds'
	from generate_series(1, @n::int) n, unnest(array['warehouse', 'vero']) d`,
	`insert into app.tracks (id, received_at, uuid_ts, user_id, anonymous_id, event, event_text, "timestamp")
	select 'm-' || n, at, at, 'user-' || n % (@n / 20), 'visitor-' || n % (@n / 20), 'event_' || n % 40, 'Event ' || n % 40, at
	from generate_series(1, @n::int) n, lateral (select now() - (@n - n) * interval '3 seconds' as at) t`,
	`insert into app.users (id, received_at, uuid_ts, email)
	select 'user-' || n, now(), now(), 'user' || n || '@example.com' from generate_series(0, @n::int / 20) n`,
}

// seedEmails are the email events of a step, for those emails that a condition
// picks. One in ten events leads to an email.
const seedEmails = `
	insert into vero.%table% (id, received_at, uuid_ts, user_id, event, event_text, "timestamp", campaign_id, campaign_name, email_id, context_traits_email, context_user_agent)
	select '%table%-' || n, at, at, 'user-' || n % (@n / 20), '%table%', '%table%', at, n % 30, 'Campaign ' || n % 30, 'email-' || n,
	       'user' || n % (@n / 20) || '@example.com', case when n % 3 = 0 then 'Mozilla/5.0' else 'Mozilla/5.0 (Macintosh)' end
	from generate_series(1, @n::int / 9) n, lateral (select now() - (@n / 9 - n) * interval '27 seconds' - interval '1 hour' + %after% as at) t
	where %picked%`

// startSeededBridge starts a bridge for many events. Nobody looks for secrets in
// tables of that size, or pages of them.
func startSeededBridge(b *testing.B, s settings) *bridge {
	b.Helper()
	started, err := startBridge(b.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := started.stop(context.WithoutCancel(b.Context())); err != nil {
			b.Errorf("stop: %v", err)
		}
	})
	return started
}

// seedEvents fills the tables of a bridge that has prepared its warehouse.
func seedEvents(t testing.TB, db *pgx.Conn, n int) {
	t.Helper()
	statements := seeds
	for _, step := range []struct{ table, after, picked string }{
		{"email_sent", "interval '0'", "true"},
		{"email_delivered", "interval '5 seconds'", "n % 50 <> 0"},
		{"email_opened", "n % 50 * interval '1 minute'", "n % 5 < 3"},
		{"email_link_clicked", "n % 50 * interval '1 minute' + interval '20 seconds'", "n % 10 = 1"},
		{"email_bounced", "interval '5 seconds'", "n % 50 = 0"},
		{"email_unsubscribed", "interval '1 hour'", "n % 300 = 1"},
		{"email_marked_as_spam", "interval '1 hour'", "n % 2000 = 1"},
	} {
		statements = append(statements, strings.NewReplacer("%table%", step.table, "%after%", step.after, "%picked%", step.picked).Replace(seedEmails))
	}
	for _, statement := range append(statements, "vacuum analyze") {
		if _, err := db.Exec(t.Context(), statement, pgx.NamedArgs{"n": n}); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
