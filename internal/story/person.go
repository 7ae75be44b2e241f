package story

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
)

// Timeline is what a person did and got, the newest first.
type Timeline struct {
	// By what the person is known.
	Users     []string `json:"users,omitempty"`
	Visitors  []string `json:"anonymous_ids,omitempty"`
	Addresses []string `json:"emails,omitempty"`

	Reachable Reachable `json:"unreachable,omitzero"`
	Verdict   Verdict   `json:"verdict"`
	// Notes are what else is not well.
	Notes   []Verdict `json:"notes,omitempty"`
	Entries []Entry   `json:"entries"`
	// Next is where the following page begins, nil if this is the last.
	Next *Cursor `json:"next,omitempty"`

	// asked is what was asked for. What a visitor did is shown whole if it is his
	// id; on a device that people share, a user's timeline has only the user's.
	asked string
	// current are the addresses that the traits of Users have now.
	current []string
	// failed and waiting are verdicts on events, nil if all are well.
	failed, waiting *Verdict
}

// Cursor is a place in a timeline. The zero Cursor is its newest end.
type Cursor struct {
	At   time.Time `json:"at"`
	ID   string    `json:"id"`
	What string    `json:"what"`
}

func (c Cursor) isZero() bool { return c.At.IsZero() }

// before is the id of the events that follow at the same time: those below it. All
// of them follow an email, and the newest end.
func (c Cursor) before() string {
	if c.ID == "" || course(c.What) > 0 {
		return "\U0010FFFF"
	}
	return c.ID
}

// Entry is one thing that a person did, or that came of it.
type Entry struct {
	At time.Time `json:"at"`
	// ID is the messageId of the event, or of Vero's report.
	ID     string `json:"message_id"`
	Source string `json:"source"`
	// What is event, rejected, or a step of an email with email_ before.
	What string `json:"what"`
	// Type and Event are the call's, Event the campaign of an email.
	Type  string `json:"type,omitempty"`
	Event string `json:"event,omitempty"`
	// Text says what an email's step or a rejection has to say.
	Text   string  `json:"text,omitempty"`
	Places []Place `json:"places,omitempty"`
}

// compare orders entries as a timeline does, the newest first.
func (e Entry) compare(other Entry) int {
	return cmp.Or(other.At.Compare(e.At), cmp.Compare(course(other.What), course(e.What)), cmp.Compare(other.ID, e.ID), cmp.Compare(e.What, other.What))
}

// Person returns the timeline of whoever has an id: a userId, an e-mail address or
// an anonymousId. limit bounds its entries; after is the Next of the page before.
func (s *Store) Person(ctx context.Context, id string, limit int, after Cursor) (t Timeline, err error) {
	if !storable(id) {
		t.Verdict = judgePerson(&t, false)
		return t, nil
	}
	err = s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		w, err := s.readWorld(ctx, tx)
		if err != nil {
			return err
		}
		if t, err = readWho(ctx, tx, w, id); err != nil {
			return err
		}
		if err := t.readReachable(ctx, tx, w); err != nil {
			return err
		}
		if t.failed, err = s.readTrouble(ctx, tx, w, &t, failedOfMine); err != nil {
			return err
		}
		if t.waiting, err = s.readTrouble(ctx, tx, w, &t, waitingOfMine); err != nil {
			return err
		}
		if err := t.readEntries(ctx, tx, w, limit, after); err != nil {
			return err
		}
		t.Verdict = judgePerson(&t, s.erased != nil && s.erased(id))
		t.Notes = notesOnPerson(&t)
		return nil
	})
	if err != nil {
		return Timeline{}, fmt.Errorf("look up person: %w", prepared(err))
	}
	return t, nil
}

// readWho finds by what else the person is known.
func readWho(ctx context.Context, tx pgx.Tx, w world, id string) (Timeline, error) {
	t := Timeline{Users: []string{}, Visitors: []string{}, Addresses: []string{}, asked: id}
	var isUser, isVisitor bool
	if err := tx.QueryRow(ctx, `
		select exists (select from verobridge.deliveries where user_id = $1),
		       exists (select from verobridge.deliveries where anonymous_id = $1)`, id).Scan(&isUser, &isVisitor); err != nil {
		return t, err
	}
	if isUser {
		t.Users = append(t.Users, id)
	}
	if isVisitor {
		t.Visitors = append(t.Visitors, id)
	}
	if strings.Contains(id, "@") {
		address := strings.ToLower(strings.TrimSpace(id))
		t.Addresses = []string{address}
		for _, schema := range w.appSchemas {
			if !w.has(schema, "users") {
				continue
			}
			if err := collect(ctx, tx, &t.Users, "select id::text from "+pgx.Identifier{schema, "users"}.Sanitize()+
				" where lower(email::text) = $1 limit 100", address); err != nil {
				return t, err
			}
		}
		reported, err := readMail(ctx, tx, w, nil, t.Addresses, time.Time{}, newestEnd(w))
		if err != nil {
			return t, err
		}
		for _, m := range reported {
			if m.user != "" {
				t.Users = append(t.Users, m.user)
			}
		}
	}
	if err := collect(ctx, tx, &t.Users, "select user_id from verobridge.identities where anonymous_id = $1 limit 100", id); err != nil {
		return t, err
	}
	if len(t.Users) == 0 && !isVisitor {
		t.Users = []string{id} // of whom there may be emails, or rejected calls
	}
	if err := collect(ctx, tx, &t.Visitors, "select anonymous_id from verobridge.identities where user_id = any($1) limit 100", t.Users); err != nil {
		return t, err
	}
	t.Users, t.Visitors = unique(t.Users), unique(t.Visitors)
	var err error
	if t.current, err = readAddresses(ctx, tx, w, t.Users); err != nil {
		return t, err
	}
	called, err := readCalledAddresses(ctx, tx, t.Users)
	if err != nil {
		return t, err
	}
	t.Addresses = unique(slices.Concat(t.Addresses, t.current, called))
	return t, nil
}

// readCalledAddresses returns the addresses that users had in the latest calls
// about them.
func readCalledAddresses(ctx context.Context, tx pgx.Tx, users []string) (all []string, err error) {
	rows, err := tx.Query(ctx, `
		select d.calls::text from unnest($1::text[]) id cross join lateral (
		  select calls from verobridge.deliveries where user_id = id
		  order by received_at desc limit $2) d`, users, calledRows)
	if err != nil {
		return nil, err
	}
	var text string
	_, err = pgx.ForEachRow(rows, []any{&text}, func() error {
		var calls []delivery.Call
		if err := json.Unmarshal([]byte(text), &calls); err != nil {
			return fmt.Errorf("read the calls about a person: %w", err)
		}
		all = append(all, calledAddresses(calls)...)
		return nil
	})
	return all, err
}

// calledRows is how many of a user's newest deliveries are searched for addresses.
const calledRows = 20

// newestEnd is when a timeline ends: clocks of callers may be ahead.
func newestEnd(w world) time.Time { return w.now.Add(24 * time.Hour) }

// readReachable reads what keeps emails from the person, and the addresses that
// Vero's reports name, whichever page is looked at.
func (t *Timeline) readReachable(ctx context.Context, tx pgx.Tx, w world) error {
	mail, err := readMail(ctx, tx, w, t.Users, t.Addresses, time.Time{}, newestEnd(w))
	if err != nil {
		return err
	}
	for _, m := range mail {
		if m.address != "" {
			t.Addresses = append(t.Addresses, m.address)
		}
	}
	t.Addresses = unique(t.Addresses)
	back, err := readResubscribed(ctx, tx, w, t.Users, t.Addresses)
	if err != nil {
		return err
	}
	t.Reachable = reachable(mail, t.current, back)
	return nil
}

// collect adds a column of texts to a list.
func collect(ctx context.Context, tx pgx.Tx, into *[]string, sql string, args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	*into = append(*into, found...)
	return err
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// readEntries reads a page of what happened.
func (t *Timeline) readEntries(ctx context.Context, tx pgx.Tx, w world, limit int, after Cursor) error {
	if after.isZero() {
		after = Cursor{At: newestEnd(w)}
	}
	events, complete, err := t.readEvents(ctx, tx, w, limit, after)
	if err != nil {
		return err
	}
	rejected, err := readRejectedOf(ctx, tx, t.Users, t.Visitors, limit, after)
	if err != nil {
		return err
	}
	mail, err := readMail(ctx, tx, w, t.Users, t.Addresses, time.Time{}, after.At.Add(time.Microsecond))
	if err != nil {
		return err
	}
	for _, m := range mail {
		step := m.step(Email{Message: m.message, Campaign: m.campaign, Subject: m.subject})
		events = append(events, Entry{At: m.At, ID: m.ID, Source: m.Source, What: step.What, Type: "track", Event: cmp.Or(m.campaign, m.subject), Text: step.Text})
	}
	// The reports of Vero are entries of their own: once is enough.
	emailed := make(map[string]bool, len(mail))
	for _, m := range mail {
		emailed[m.ID] = true
	}
	entries := slices.DeleteFunc(append(events, rejected...), func(e Entry) bool {
		return e.compare(Entry{At: after.At, ID: after.ID, What: after.What}) <= 0 && after.ID != "" || e.What == "event" && emailed[e.ID]
	})
	slices.SortFunc(entries, Entry.compare)
	if len(entries) > limit || !complete {
		entries = entries[:min(limit, len(entries))]
		if n := len(entries); n > 0 {
			t.Next = &Cursor{entries[n-1].At, entries[n-1].ID, entries[n-1].What}
		}
	}
	t.Entries = entries
	return nil
}

// placesEach is how many destinations an event has at most, for one page.
const placesEach = 8

// readEvents reads the newest events of a person with what became of them.
// complete says that there are no more.
func (t *Timeline) readEvents(ctx context.Context, tx pgx.Tx, w world, limit int, after Cursor) (list []Entry, complete bool, err error) {
	const fields = `source, message_id, destination, type, event, status, reason, detail, attempts, received_at, settled_at`
	most := placesEach * (limit + 1)
	rows, err := tx.Query(ctx, `
		with mine as (
		  select d.* from unnest($1::text[]) id cross join lateral (
		    select `+fields+` from verobridge.deliveries
		    where user_id = id and received_at <= $3 and (received_at, message_id) < ($3, $4)
		    order by received_at desc, message_id desc limit $5) d
		  union
		  select d.* from unnest($2::text[]) id cross join lateral (
		    select `+fields+` from verobridge.deliveries
		    where anonymous_id = id and (user_id is null or user_id = any($1) or anonymous_id = $6) and received_at <= $3 and (received_at, message_id) < ($3, $4)
		    order by received_at desc, message_id desc limit $5) d)
		select source, message_id, destination, type, coalesce(event, ''), status, reason, detail, attempts, received_at, coalesce(settled_at, '0001-01-01Z')
		from mine where type <> 'rejected'
		order by received_at desc, message_id desc, source, destination <> '`+warehouseName+`', destination limit $5`,
		t.Users, t.Visitors, after.At, after.before(), most, t.asked)
	if err != nil {
		return nil, false, err
	}
	var e Entry
	var p Place
	n := 0
	_, err = pgx.ForEachRow(rows, []any{
		&e.Source, &e.ID, &p.Destination, &e.Type, &e.Event, &p.Status, &p.Reason, &p.Detail, &p.Attempts, &e.At, &p.SettledAt,
	}, func() error {
		n++
		e.What, e.At, p.SettledAt = "event", e.At.UTC(), p.SettledAt.UTC()
		p.Type = w.destinations[p.Destination].Type
		if last := len(list) - 1; last < 0 || list[last].Source != e.Source || list[last].ID != e.ID {
			list = append(list, e)
		}
		list[len(list)-1].Places = append(list[len(list)-1].Places, p)
		return nil
	})
	if n == most && len(list) > 1 {
		list = list[:len(list)-1] // the last may have more places
	}
	return list, n < most, err
}

// readRejectedOf reads the newest calls about a person that were refused at the
// door.
func readRejectedOf(ctx context.Context, tx pgx.Tx, users, visitors []string, limit int, after Cursor) ([]Entry, error) {
	rows, err := tx.Query(ctx, `
		(select id, source, received_at, reason || ': ' || detail from verobridge.rejected_events
		 where user_id = any($1) and received_at <= $3 and (received_at, id collate "C") < ($3, $5)
		 order by received_at desc, id collate "C" desc limit $4)
		union
		(select id, source, received_at, reason || ': ' || detail from verobridge.rejected_events
		 where anonymous_id = any($2) and received_at <= $3 and (received_at, id collate "C") < ($3, $5)
		 order by received_at desc, id collate "C" desc limit $4)`, users, visitors, after.At, limit+1, after.before())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Entry, error) {
		e := Entry{What: "rejected"}
		err := row.Scan(&e.ID, &e.Source, &e.At, &e.Text)
		e.At = e.At.UTC()
		return e, err
	})
}

// Nobody is the code of the verdict that nothing is known.
const Nobody = "nobody"

// personCauses are the verdicts on a person, in the order in which they are tried.
var personCauses = []struct {
	code, cause, cure string
	is                func(t *Timeline, erased bool) bool
}{
	{"erased", "The person was erased: what was known is deleted, and nothing is sent any more.", "", func(_ *Timeline, erased bool) bool { return erased }},
	{Nobody, "Nobody is known by this.", "Compare it with what the app sends as userId, anonymousId or email; a row comes with the first event.", func(t *Timeline, _ bool) bool { return t.isNobody() }},
	{"person_marked_as_spam", "The person marked an email as spam: Vero mails nothing more.", "", func(t *Timeline, _ bool) bool { return !t.Reachable.Spam.IsZero() }},
	{"person_unsubscribed", "The person has unsubscribed.", "Only the person can subscribe again.", func(t *Timeline, _ bool) bool { return !t.Reachable.Unsubscribed.IsZero() }},
	{"person_bouncing", "The last email to the person bounced.", "Correct the address with an identify call.", func(t *Timeline, _ bool) bool { return !t.Reachable.Bounced.IsZero() }},
	{"person_needs_you", "Something about the person waits for a decision or failed for good.", "Do what is said of the event.", func(t *Timeline, _ bool) bool { return t.failed != nil }},
	{"person_waiting", "Some events of the person wait.", "Do what is said of the oldest one.", func(t *Timeline, _ bool) bool { return t.waiting != nil }},
	{"person_without_address", "No e-mail address of the person is known here.", "Identify the person with an email trait.", func(t *Timeline, _ bool) bool { return len(t.Addresses) == 0 }},
	{"person_reachable", "Nothing that is known here keeps emails from the person.", "", func(*Timeline, bool) bool { return true }},
}

func judgePerson(t *Timeline, erased bool) Verdict {
	for _, c := range personCauses {
		if c.is(t, erased) {
			level := Note
			if c.code == "person_reachable" {
				level = Good
			}
			v := Verdict{Code: c.code, Level: level, Cause: c.cause, Cure: c.cure}
			switch c.code {
			case "person_needs_you":
				v.Detail, v.Cure = t.failed.Detail, t.failed.Cure
			case "person_waiting":
				v.Detail, v.Cure = t.waiting.Detail, t.waiting.Cure
			}
			return v
		}
	}
	panic("the last cause fits everybody")
}

// isNobody says that nothing is known. An id that was not found counts as a user's.
func (t *Timeline) isNobody() bool {
	return len(t.Entries) == 0 && len(t.Users) <= 1 && len(t.Visitors) <= 1 && len(t.Addresses) <= 1
}

// notesOnPerson are the events that are not well, where the verdict is on
// something else.
func notesOnPerson(t *Timeline) (list []Verdict) {
	for code, v := range map[string]*Verdict{"person_needs_you": t.failed, "person_waiting": t.waiting} {
		if v != nil && t.Verdict.Code != code {
			list = append(list, *v)
		}
	}
	slices.SortFunc(list, func(a, b Verdict) int { return cmp.Compare(a.Level, b.Level) }) // bad before note
	return list
}
