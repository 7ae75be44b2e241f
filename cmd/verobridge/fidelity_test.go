package main

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// What an app sends is what an analyst reads: no digit, no character and no
// field is lost between the request and Postgres.
func TestScalarsArriveInPostgresAsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	properties := []struct{ name, sent, column, want string }{
		{"two_to_53_plus_1", `9007199254740993`, "two_to_53_plus_1", `9007199254740993`},
		{"most_of_int64", `9223372036854775807`, "most_of_int64", `9223372036854775807`},
		{"beyond_int64", `123456789012345678901234567890`, "beyond_int64", `123456789012345678901234567890`},
		{"negative", `-9007199254740995`, "negative", `-9007199254740995`},
		{"price", `19.99`, "price", `19.99`},
		{"digits", `0.1234567890123456789012345`, "digits", `0.1234567890123456789012345`},
		{"whole", `1.0`, "whole", `1.0`},
		{"large", `1e21`, "large", `1000000000000000000000`},
		{"yes", `true`, "yes", `true`},
		{"text", `"é 😀 \ud83d\ude00 漢字 \"quoted\" \\ / \n tab\t"`, "text", "é 😀 😀 漢字 \"quoted\" \\ / \n tab\t"},
		{"combining", `"e\u0301"`, "combining", "e\u0301"}, // not made into é
		{"cut", `"cut \ud83d"`, "cut", "cut \uFFFD"},       // Postgres has neither of these
		{"nul", `"a\u0000b"`, "nul", "ab"},
		{"not_a_number", `NaN`, "", ""}, // nor JSON this
		{"digits_as_text", `"007"`, "digits_as_text", "007"},
		{"list", `[9007199254740993, 0.10, "é"]`, "list", `[9007199254740993, 0.10, "é"]`},
		{"camelCaseName", `"x"`, "camel_case_name", "x"},
		{"nested", `{"deep":{"id":9007199254740993}}`, "nested_deep_id", `9007199254740993`},
		{"at", `"2026-01-02T03:04:05.678901234+02:00"`, "at", "2026-01-02 01:04:05.678901+00"},
	}
	for i, p := range properties {
		if i == 1 {
			// The first value alone gives the common field its column, a bigint.
			w.await(t, "the first row", `select count(*) = 1 from app.sent`)
		}
		w.post(t, "/v1/track", appKey, fmt.Appendf(nil, `{"messageId":%q,"userId":"u","event":"Sent","properties":{%q:%s},"context":{"odd":{"field":%s}}}`, p.name, p.name, p.sent, p.sent))
	}
	w.settle(t, "fidelity")
	if _, err := w.db.Exec(t.Context(), `set timezone to 'UTC'`); err != nil {
		t.Fatal(err)
	}
	for _, p := range properties {
		if p.column == "" {
			continue
		}
		if got := w.text(t, `select `+pgx.Identifier{p.column}.Sanitize()+`::text from app.sent where id = $1`, p.name); got != p.want {
			t.Errorf("%s arrived as %s, want %s", p.sent, got, p.want)
		}
	}
	// A field that nobody knows, with another kind of value each time: what does
	// not fit its column is kept in full beside it.
	got := make(map[string]string)
	rows, err := w.db.Query(t.Context(), `
		select id, context_odd_field::text from app.sent where context_odd_field is not null
		union all select row_id, column_value from app.discards where table_name = 'sent' and column_name = 'context_odd_field'`)
	if err != nil {
		t.Fatal(err)
	}
	var id, value string
	if _, err := pgx.ForEachRow(rows, []any{&id, &value}, func() error {
		got[id] = value
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for _, p := range properties {
		if p.column == p.name || p.name == "camelCaseName" {
			want[p.name] = p.want
		}
	}
	want["whole"] = "1"    // which a bigint holds exactly
	want["large"] = "1e21" // which it does not
	want["at"] = "2026-01-02T03:04:05.678901234+02:00"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values of a field of many kinds (-want +got):\n%s", diff)
	}
}

// timestamp = receivedAt - (sentAt - originalTimestamp), to the microsecond that
// Postgres has, whatever form and offset the client writes.
func TestTimesArriveInPostgres(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	times := map[string]struct {
		call, envelope string // members
		original       string // as Postgres shows it in UTC, "" where it is the time of receipt
		corrected      string // what is to be true of the row
	}{
		"nanoseconds and an offset":  {`"timestamp":"2026-01-02T03:04:05.678901234+02:00"`, ``, "2026-01-02 01:04:05.678901+00", `"timestamp" = original_timestamp`},
		"no seconds' fraction":       {`"timestamp":"2026-01-02T03:04:05Z"`, ``, "2026-01-02 03:04:05+00", `"timestamp" = original_timestamp`},
		"a clock one hour behind":    {`"timestamp":"2026-01-02T03:04:05Z"`, `,"sentAt":"2026-01-02T03:04:15Z"`, "2026-01-02 03:04:05+00", `"timestamp" = received_at - interval '10 s'`},
		"sentAt in the call":         {`"timestamp":"2026-01-02T03:04:05Z","sentAt":"2026-01-02T03:04:25Z"`, `,"sentAt":"2026-01-02T03:04:15Z"`, "2026-01-02 03:04:05+00", `"timestamp" = received_at - interval '20 s'`},
		"sentAt with another offset": {`"timestamp":"2026-01-02T03:04:05.000001-08:00"`, `,"sentAt":"2026-01-02T12:04:05.000001+01:00"`, "2026-01-02 11:04:05.000001+00", `"timestamp" = received_at`},
		"a clock in the future":      {`"timestamp":"2036-01-02T03:04:05Z"`, `,"sentAt":"2036-01-02T03:04:06Z"`, "2036-01-02 03:04:05+00", `"timestamp" = received_at - interval '1 s'`},
		"no timestamp":               {`"x":1`, `,"sentAt":"2026-01-02T03:04:15Z"`, "", `"timestamp" = received_at and original_timestamp = received_at`},
		"one-digit month":            {`"timestamp":"2015-2-02T00:30:12.984Z"`, ``, "2015-02-02 00:30:12.984+00", `"timestamp" = original_timestamp`},
	}
	for name, c := range times {
		w.post(t, "/v1/batch", appKey, fmt.Appendf(nil, `{"batch":[{"type":"track","messageId":%q,"userId":"u","event":"Sent",%s}]%s}`, name, c.call, c.envelope))
	}
	w.settle(t, "times")
	if _, err := w.db.Exec(t.Context(), `set timezone to 'UTC'`); err != nil {
		t.Fatal(err)
	}
	for name, c := range times {
		if got := w.text(t, `select original_timestamp::text from app.tracks where id = $1`, name); c.original != "" && got != c.original {
			t.Errorf("%s: original_timestamp is %s, want %s", name, got, c.original)
		}
		if got := w.text(t, `select (`+c.corrected+`)::text from app.tracks where id = $1`, name); got != "true" {
			t.Errorf("%s: it is not true that %s", name, c.corrected)
		}
	}
}
