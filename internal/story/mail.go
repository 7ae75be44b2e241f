package story

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/tidwall/gjson"

	"github.com/verobridge/verobridge/internal/delivery"
)

const (
	// emailWindow is for how long after an event an email counts as its work.
	// Workflows of Vero may wait for days.
	emailWindow = 30 * 24 * time.Hour
	// clockSlack is by how much an email may seem older than the call that
	// triggered it: Vero reports times in whole seconds.
	clockSlack = 2 * time.Second
	// maxEmailEvents bounds what is read of one person's emails at once.
	maxEmailEvents = 2000
	// broadcast is the type of campaigns that no event triggers.
	broadcast = "newsletter"
)

// emailTable is a table of email events, all of one step.
type emailTable struct{ step, table, detail string }

// emailTables are the tables of email events, in the order in which steps follow
// one another.
var emailTables = []emailTable{
	{"sent", "email_sent", ""},
	{"delivered", "email_delivered", ""},
	{"opened", "email_opened", ""},
	{"clicked", "email_link_clicked", "link_url"},
	{"bounced", "email_bounced", "bounce_type"},
	{"unsubscribed", "email_unsubscribed", ""},
	{"spam", "email_marked_as_spam", ""},
}

// addressOf is the address that an email event is about. The same expression is
// indexed (warehouse/indexes.go) and is in the views.
const addressOf = `lower(coalesce(context_traits_email::text, sent_to::text, case when anonymous_id::text like '%@%' then anonymous_id::text end))`

// mailEvent is an email event as it is stored.
type mailEvent struct {
	EmailEvent
	message, campaign, subject, trigger string
	kind                                string // newsletter, transactional and others, "" where Vero does not say
	user, address                       string
}

// readMail reads the email events of a person in a time, the newest first.
func readMail(ctx context.Context, tx pgx.Tx, w world, users, addresses []string, from, to time.Time) ([]mailEvent, error) {
	var selects []string
	for _, schema := range w.veroSchemas {
		for _, t := range emailTables {
			if !w.has(schema, t.table) {
				continue
			}
			detail := "''"
			if t.detail != "" {
				detail = "coalesce(" + t.detail + "::text, '')"
			}
			table := pgx.Identifier{schema, t.table}.Sanitize()
			// Two selects, so that each has its index.
			for _, whose := range []string{"user_id::text = any($1)", addressOf + " = any($2)"} {
				selects = append(selects, fmt.Sprintf(`(select '%s' as step, '%s' as source, id::text, "timestamp"::timestamptz as at,
					coalesce(email_id::text, context_message_id::text, concat_ws(' ', campaign_id::text, user_id::text, %s)) as message,
					coalesce(campaign_name::text, '') as campaign, coalesce(email_subject::text, '') as subject, coalesce(trigger_event::text, '') as trigger,
					coalesce(email_type::text, '') as kind, coalesce(user_id::text, '') as "user", coalesce(%s, '') as address, %s as detail, context_user_agent::text as user_agent
					from %s where %s and "timestamp" >= $3 and "timestamp" < $4 order by "timestamp" desc limit %d)`,
					t.step, schema, addressOf, addressOf, detail, table, whose, maxEmailEvents))
			}
		}
	}
	if len(selects) == 0 {
		return nil, nil
	}
	// Who judges whether a machine did it is the function that the views use.
	rows, err := tx.Query(ctx, `
		with event as (`+strings.Join(selects, " union ")+`), near as (
		  select *, min(at) filter (where step = 'delivered') over (partition by source, message) as delivered_at,
		         count(*) filter (where step = 'clicked') over (
		           partition by source, message order by at
		           range between interval '5 seconds' preceding and interval '5 seconds' following) as clicks_nearby
		  from event)
		select step, source, id, at, message, campaign, subject, trigger, kind, "user", address, detail,
		       coalesce(email_analytics.machine_reason(step, user_agent, at, delivered_at, clicks_nearby), '')
		from near order by at desc, id limit `+fmt.Sprint(maxEmailEvents), orNone(users), orNone(addresses), from, to)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m mailEvent, err error) {
		err = row.Scan(&m.Step, &m.Source, &m.ID, &m.At, &m.message, &m.campaign, &m.subject, &m.trigger, &m.kind, &m.user, &m.address, &m.Detail, &m.Machine)
		m.At = m.At.UTC()
		return m, err
	})
}

// orNone is a list that is not null, which would match nothing and say nothing.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// emails puts email events together, each email once, the oldest first.
func emails(list []mailEvent) []Email {
	var all []Email
	at := make(map[string]int)
	for _, m := range slices.Backward(list) {
		i, known := at[m.Source+" "+m.message]
		if !known {
			i = len(all)
			at[m.Source+" "+m.message] = i
			all = append(all, Email{Message: m.message})
		}
		e := &all[i]
		e.broadcast = e.broadcast || m.kind == broadcast
		e.Campaign, e.Subject, e.Trigger = cmp.Or(e.Campaign, m.campaign), cmp.Or(e.Subject, m.subject), cmp.Or(e.Trigger, m.trigger)
		e.Events = append(e.Events, m.EmailEvent)
	}
	return all
}

// readEmails reads what followed an event that Vero has got, and what happened to
// the person's emails before.
func readEmails(ctx context.Context, tx pgx.Tx, w world, s *Story) error {
	focus := s.Focus()
	if focus == nil || focus.Type != veroType || focus.Status != delivery.StatusDelivered || s.Type != "track" {
		return nil
	}
	users, addresses := []string{}, []string{}
	if s.UserID != "" {
		users = append(users, s.UserID)
	}
	found, err := readAddresses(ctx, tx, w, users)
	if err != nil {
		return err
	}
	current := found
	addresses = append(addresses, found...)
	addresses = append(addresses, calledAddresses(focus.Calls)...)
	if told := gjson.GetBytes(s.Row, "context_traits_email").String(); told != "" {
		addresses = append(addresses, strings.ToLower(told))
	}
	s.Addressed = len(addresses) > 0
	if s.AnyEmails, err = anyEmails(ctx, tx, w); err != nil || !s.AnyEmails {
		return err
	}
	called := calledAt(s, focus)
	before, err := readMail(ctx, tx, w, users, addresses, time.Time{}, called)
	if err != nil {
		return err
	}
	after, err := readMail(ctx, tx, w, users, addresses, called.Add(-clockSlack), called.Add(emailWindow))
	if err != nil {
		return err
	}
	back, err := readResubscribed(ctx, tx, w, users, addresses)
	if err != nil {
		return err
	}
	same, err := nextCall(ctx, tx, s, focus, called, "event = $6", s.Event)
	if err != nil {
		return err
	}
	next, err := nextCall(ctx, tx, s, focus, called, "type = $6", s.Type)
	if err != nil {
		return err
	}
	older := make(map[string]bool) // emails that were under way already
	for _, m := range before {
		older[m.message] = older[m.message] || m.At.Before(called.Add(-clockSlack))
	}
	names := calledNames(s, focus)
	own := make(map[string]bool)
	for _, mail := range emails(after) {
		first := mail.Events[0].At
		fits := names[sameName(mail.Trigger)] && first.Before(same) || mail.Trigger == "" && first.Before(next)
		if fits && !mail.broadcast && !older[mail.Message] {
			s.Emails = append(s.Emails, mail)
			own[mail.Message] = true
		}
	}
	s.Addressed = s.Addressed || len(before)+len(after) > 0
	s.Before = reachable(slices.DeleteFunc(before, func(m mailEvent) bool { return own[m.message] }), current, back)
	return nil
}

// nextCall returns when Vero got the next track call of the person of which also
// holds: an email belongs to the latest one before it.
func nextCall(ctx context.Context, tx pgx.Tx, s *Story, focus *Place, called time.Time, also, value string) (time.Time, error) {
	var next *time.Time
	err := tx.QueryRow(ctx, `
		select min(settled_at) from verobridge.deliveries
		where user_id = $1 and received_at > $2 and received_at < $3 and settled_at > $7 and destination = $4 and message_id <> $5
		  and status = 'delivered' and type = 'track' and `+also,
		s.UserID, called.Add(-emailWindow), called.Add(emailWindow), focus.Destination, s.MessageID, value,
		later(called, focus.SettledAt)).Scan(&next)
	if err != nil || next == nil {
		return called.Add(emailWindow), err
	}
	return next.UTC().Add(-clockSlack), nil
}

// readAddresses returns the addresses of users, as their traits say.
func readAddresses(ctx context.Context, tx pgx.Tx, w world, users []string) ([]string, error) {
	var all []string
	for _, schema := range w.appSchemas {
		if !w.has(schema, "users") || len(users) == 0 {
			continue
		}
		rows, err := tx.Query(ctx, "select lower(email::text) from "+pgx.Identifier{schema, "users"}.Sanitize()+
			" where id = any($1) and email is not null", users)
		if err != nil {
			return nil, err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// anyEmails says whether Vero has ever reported an email.
func anyEmails(ctx context.Context, tx pgx.Tx, w world) (some bool, err error) {
	var exist []string
	for _, schema := range w.veroSchemas {
		for _, t := range emailTables {
			if w.has(schema, t.table) {
				exist = append(exist, "exists (select from "+pgx.Identifier{schema, t.table}.Sanitize()+")")
			}
		}
	}
	if len(exist) == 0 {
		return false, nil
	}
	err = tx.QueryRow(ctx, "select "+strings.Join(exist, " or ")).Scan(&some)
	return some, err
}

// readResubscribed returns when users came back last, zero if none did. The table
// is made when the first one does.
func readResubscribed(ctx context.Context, tx pgx.Tx, w world, users, addresses []string) (last time.Time, err error) {
	for _, schema := range w.veroSchemas {
		if !w.has(schema, "email_resubscribed") {
			continue
		}
		var at *time.Time
		if err := tx.QueryRow(ctx, `select max("timestamp") from `+pgx.Identifier{schema, "email_resubscribed"}.Sanitize()+`
			t where to_jsonb(t)->>'user_id' = any($1)
			or lower(coalesce(to_jsonb(t)->>'context_traits_email', to_jsonb(t)->>'sent_to', to_jsonb(t)->>'anonymous_id')) = any($2)`,
			users, addresses).Scan(&at); err != nil {
			return last, err
		}
		if at != nil {
			last = later(last, at.UTC())
		}
	}
	return last, nil
}

// reachable says what keeps emails from a person after these events. current are
// the addresses of now, if they are known: an earlier one that bounced has been
// corrected. back is when the person subscribed again.
func reachable(list []mailEvent, current []string, back time.Time) (r Reachable) {
	var delivered time.Time
	for _, m := range list {
		switch m.Step {
		case "delivered":
			delivered = later(delivered, m.At)
		case "unsubscribed":
			r.Unsubscribed = later(r.Unsubscribed, m.At)
		case "spam":
			r.Spam = later(r.Spam, m.At)
		case "bounced":
			if len(current) > 0 && m.address != "" && !slices.Contains(current, m.address) {
				continue
			}
			r.Bounced = later(r.Bounced, m.At)
		}
	}
	if back.After(r.Unsubscribed) {
		r.Unsubscribed = time.Time{}
	}
	if delivered.After(r.Bounced) {
		r.Bounced = time.Time{} // an email came through since
	}
	return r
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sameName is a name as Vero compares names of events: Purchased Item is
// purchased_item.
func sameName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '-' {
			return '_'
		}
		return unicode.ToLower(r)
	}, strings.TrimSpace(name))
}
