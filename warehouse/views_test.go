package warehouse

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/pgtest"
)

func TestViewsOverSeveralSources(t *testing.T) {
	t.Parallel()
	f := open(t, Options{Sources: []Source{{Name: "web"}, {Name: "shop"}, {Name: "vero", Vero: true}, {Name: "old vero", Vero: true}}})
	mail := `{"type":"track","messageId":"%","userId":"u1","event":"Email Link Clicked","timestamp":"2026-06-01T00:00:00Z","properties":{"campaign_id":7}}`
	order := `{"type":"track","messageId":"%","userId":"u1","event":"Order Completed","timestamp":"2026-06-02T00:00:00Z"}`
	f.deliver(
		eventOf(t, "vero", arrival, strings.ReplaceAll(mail, "%", "m1")),
		eventOf(t, "old vero", arrival, strings.ReplaceAll(mail, "%", "m2")),
		eventOf(t, "web", arrival, strings.ReplaceAll(order, "%", "o1")),
		eventOf(t, "shop", arrival, strings.ReplaceAll(order, "%", "o2")))
	f.want("select source, id from email_analytics.emails order by 1", `{"source":"old_vero","id":"m2"}`, `{"source":"vero","id":"m1"}`)
	f.want("select source, event_id, credit, campaign_id from email_analytics.attribution order by 1",
		`{"source":"shop","event_id":"o2","credit":"click","campaign_id":"7"}`,
		`{"source":"web","event_id":"o1","credit":"click","campaign_id":"7"}`)
}

// TestViewsOverAdoptedTables: a schema from before may have other types.
func TestViewsOverAdoptedTables(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.exec(`
		create schema vero;
		create table vero.email_opened (id varchar(1024) primary key, user_id bigint, campaign_id text, email_id bigint,
			"timestamp" timestamp without time zone, original_timestamp text);
		insert into vero.email_opened (id, user_id, campaign_id, "timestamp") values ('old', 1, '7', '2026-06-01')`)
	f.deliver(track(t, "m", "X", "{}"))
	f.want("select id, user_id, campaign_id from email_analytics.emails", `{"id":"old","user_id":"1","campaign_id":"7"}`)
}

func TestViewsOnlyWithEmails(t *testing.T) {
	t.Parallel()
	f := open(t, Options{Sources: []Source{{Name: "app"}}})
	f.deliver(track(t, "m", "X", "{}"))
	f.want("select nspname from pg_namespace where nspname = 'email_analytics'")
}

// TestViewsFollowTheSources: another source changes the views, nothing else
// does, and what was dropped comes again.
func TestViewsFollowTheSources(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	vero, web := Source{Name: "vero", Vero: true}, Source{Name: "web"}
	prepared := func(sources ...Source) *fixture {
		t.Helper()
		f := open(t, Options{URL: url, Sources: sources, LockTimeout: 100 * time.Millisecond})
		if err := f.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := prepared(vero)
	const version = "select xmin::text as version from pg_class where oid = 'email_analytics.emails'::regclass"
	first := f.rows(version)
	prepared(vero).want(version, first...)

	f.exec("create view public.mine as select * from email_analytics.funnel")
	prepared(vero, web).deliver(eventOf(t, "vero", arrival, `{"type":"track","messageId":"m1","userId":"u1","event":"Email Sent"}`))
	f.want("select sent from mine", `{"sent":1}`)
	f.want("select prosrc like '%web.tracks%' or prosrc like '%\"web\".tracks%' as web from pg_proc where proname = 'attribution_within'", `{"web":true}`)

	f.exec("drop view email_analytics.emails cascade")
	prepared(vero, web).want("select sent from email_analytics.funnel", `{"sent":1}`)
}

// TestReadViewDelaysNobody: somebody who reads a view for long keeps it from
// being replaced, and that keeps no rows out.
func TestReadViewDelaysNobody(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	first := open(t, Options{URL: url})
	if err := first.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	release := first.holding("select from email_analytics.funnel")
	defer release()
	var log strings.Builder
	f := open(t, Options{
		URL: url, Sources: []Source{{Name: "web"}, {Name: "vero", Vero: true}}, LockTimeout: 50 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	f.deliver(track(t, "m1", "X", "{}"))
	if !strings.Contains(log.String(), "email_analytics") {
		t.Errorf("the log does not say that the views are old: %s", log.String())
	}
}
