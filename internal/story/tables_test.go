package story

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func tableOf(report TableReport, schema, name string) *Table {
	for _, s := range report.Schemas {
		for i, t := range s.Tables {
			if s.Name == schema && t.Name == name {
				return &s.Tables[i]
			}
		}
	}
	return nil
}

func TestTables(t *testing.T) {
	t.Parallel()
	f := open(t)
	at := time.Date(2026, 6, 6, 10, 0, 0, 0, time.UTC)
	f.load("app", at, `{"type":"track","userId":"u","event":"Order Completed","properties":{"total":10}}`)
	f.load("app", at.Add(time.Hour), `{"type":"track","userId":"u","event":"Order Completed","properties":{"total":11}}`)
	f.exec(`alter table app.order_completed add column _overflow jsonb`)
	// A large one, analysed when it was half as large.
	for n := range 2 {
		f.exec(`insert into app.pages (id, received_at, title)
			select $1 || '-' || n, timestamptz '2026-01-01' + n * interval '1 second', repeat('x', 500) from generate_series(1, 20000) n`, fmt.Sprint("p", n))
		if n == 0 {
			f.exec(`analyze app.pages`)
		}
	}
	f.exec(`insert into verobridge.deliveries (source, message_id, destination, type, status, reason, detail, attempts, received_at)
		select 'app', 'm' || n, 'warehouse', 'track', 'dead', 'row_refused', '', 1, now() from generate_series(1, 3) n`)

	report, err := f.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if names := []string{report.Schemas[0].Name, report.Schemas[1].Name, report.Schemas[2].Name}; !cmp.Equal(names, []string{"app", "vero", "verobridge"}) {
		t.Errorf("schemas %v", names)
	}
	if report.Schemas[0].LoadedAt.IsZero() || !report.Schemas[1].LoadedAt.IsZero() {
		t.Errorf("loaded at %v, %v, want a time and never", report.Schemas[0].LoadedAt, report.Schemas[1].LoadedAt)
	}
	if report.SetAside != (Count{3, Exact}) {
		t.Errorf("%+v rows are set aside, want 3", report.SetAside)
	}
	orders := tableOf(report, "app", "order_completed")
	if orders == nil || orders.Rows != (Count{2, Exact}) || !orders.Newest.Equal(at.Add(time.Hour)) || !orders.Overflows || orders.Bytes == 0 {
		t.Errorf("order_completed: %+v", orders)
	}
	pages := tableOf(report, "app", "pages")
	if pages.Rows.Precision != About || pages.Rows.Rows < 38_000 || pages.Rows.Rows > 42_000 {
		t.Errorf("pages has %+v rows, want about 40000", pages.Rows)
	}
	if want := time.Date(2026, 1, 1, 0, 0, 20000, 0, time.UTC); !pages.Newest.Equal(want) {
		t.Errorf("newest of pages: %v, want %v", pages.Newest, want)
	}
	if sent := tableOf(report, "vero", "email_sent"); sent == nil || sent.Rows != (Count{0, Exact}) || !sent.Newest.IsZero() {
		t.Errorf("email_sent: %+v", sent)
	}
}

// A table that keeps all readers out does not keep them from the others.
func TestTablesDoesNotWait(t *testing.T) {
	t.Parallel()
	f := open(t)
	tx, err := f.conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), "lock table app.users in access exclusive mode"); err != nil {
		t.Fatal(err)
	}
	report, err := f.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if users := tableOf(report, "app", "users"); users == nil || !users.Locked {
		t.Errorf("users: %+v, want it locked", users)
	}
	if pages := tableOf(report, "app", "pages"); pages.Locked || pages.Rows.Precision != Exact {
		t.Errorf("pages: %+v", pages)
	}
}

func TestDiscards(t *testing.T) {
	t.Parallel()
	f := open(t)
	at := time.Date(2026, 6, 6, 10, 0, 0, 0, time.UTC)
	f.load("app", at, `{"type":"track","userId":"u","event":"Paid","properties":{"installments":3}}`)
	f.load("app", at,
		`{"type":"track","userId":"u","event":"Paid","properties":{"installments":"<b>three</b>"}}`,
		`{"type":"track","userId":"u","event":"Paid","properties":{"installments":"zwei"}}`)
	got, err := f.readDiscards(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Discard{{
		Schema: "app", Table: "paid", Column: "installments", Type: "bigint", Reason: "type_mismatch", Values: 2, Sample: "<b>three</b>", Newest: at,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The counts are those of the analysts' view, day by day.
func TestEmails(t *testing.T) {
	t.Parallel()
	f := open(t)
	now := time.Now().UTC()
	for day := range 3 {
		at := now.AddDate(0, 0, -day)
		for n := range 4 {
			email := func(event string, after time.Duration, more string) string {
				return fmt.Sprintf(`{"type":"track","userId":"u%d","event":%q,"timestamp":%q,"properties":{"campaign_id":%d,"campaign_name":"Welcome","email_id":"e%d-%d"%s}}`,
					n, event, at.Add(after).Format(time.RFC3339), 1+n%2, day, n, more)
			}
			f.load("vero", at, email("Email Sent", 0, ""), email("Email Delivered", time.Second, ""))
			if n%2 == 0 {
				f.load("vero", at, email("Email Opened", time.Minute, ""))
			}
			if n == 3 {
				f.load("vero", at, email("Email Unsubscribed", time.Hour, ""), email("Email Marked as Spam", time.Hour, ""))
			}
		}
	}
	got, err := f.readEmails(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 6 || got[0].Campaign != "Welcome" || got[0].Day.After(got[5].Day) {
		t.Fatalf("got %+v", got)
	}
	var sum, want EmailCounts
	for _, d := range got {
		sum = sum.Add(d.EmailCounts)
	}
	if err := f.conn.QueryRow(t.Context(), `select sum(sent), sum(delivered), sum(opened), sum(opened_by_human), sum(clicked), sum(clicked_by_human),
		sum(bounced), sum(unsubscribed), sum(spam) from email_analytics.funnel`).Scan(&want.Sent, &want.Delivered, &want.Opened, &want.OpenedByHuman,
		&want.Clicked, &want.ClickedByHuman, &want.Bounced, &want.Unsubscribed, &want.Spam); err != nil {
		t.Fatal(err)
	}
	if sum != want || sum.Sent != 12 || sum.Opened != 6 || sum.Spam != 3 {
		t.Errorf("counted %+v, the view %+v", sum, want)
	}

	f.exec(`drop schema email_analytics cascade`)
	if _, err := f.readEmails(t.Context()); !errors.Is(err, ErrNoEmails) {
		t.Errorf("without views: %v", err)
	}
}
