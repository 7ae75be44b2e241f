package story

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// ErrNotPrepared says that the database has no tables of verobridge, or older
// ones.
var ErrNotPrepared = errors.New("the database has no tables of this version of verobridge")

// Event returns the stories of an event, one for each source that has one of that
// messageId, none where nothing is known. An id that the door gave to a refused
// call is one as well.
func (s *Store) Event(ctx context.Context, messageID string) (stories []Story, err error) {
	if !storable(messageID) {
		return nil, nil
	}
	err = s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		world, err := s.readWorld(ctx, tx)
		if err != nil {
			return err
		}
		stories, err = s.readEvent(ctx, tx, world, messageID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up event: %w", prepared(err))
	}
	return stories, nil
}

// storable says that Postgres can have an id: others are nobody's.
func storable(id string) bool { return utf8.ValidString(id) && !strings.ContainsRune(id, 0) }

// prepared names the error of a database without our tables.
func prepared(err error) error {
	const undefinedTable, undefinedColumn, invalidSchema = "42P01", "42703", "3F000"
	var refused *pgconn.PgError
	if errors.As(err, &refused) && slices.Contains([]string{undefinedTable, undefinedColumn, invalidSchema}, refused.Code) {
		return fmt.Errorf("%w: %w", ErrNotPrepared, err)
	}
	return err
}

// world is what all stories have in common.
type world struct {
	sources      map[string]Source // by name
	types        map[string]string // of sources
	veroSchemas  []string
	appSchemas   []string
	destinations map[string]Place
	routes       map[string]map[string]time.Time // by source and destination
	tables       map[string]bool                 // schema.table, of the sources' schemas
	now          time.Time
}

func (w world) has(schema, table string) bool { return w.tables[schema+"."+table] }

// readWorld reads the settings, as the bridge has written them down.
func (s *Store) readWorld(ctx context.Context, tx pgx.Tx) (world, error) {
	w := world{
		sources: make(map[string]Source), types: make(map[string]string),
		destinations: make(map[string]Place), routes: make(map[string]map[string]time.Time), tables: make(map[string]bool),
		now: s.now().UTC(),
	}
	for _, source := range s.sources {
		w.sources[source.Name] = source
		w.types[source.Name] = map[bool]string{true: veroType, false: "app"}[source.Vero]
	}
	var name, kind, schema string
	rows, err := tx.Query(ctx, "select name, type, schema from verobridge.sources")
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&name, &kind, &schema}, func() error {
			w.sources[name] = Source{Name: name, Schema: schema, Vero: kind == veroType}
			w.types[name] = kind
			return nil
		})
	}
	if err != nil {
		return w, err
	}
	schemas, err := readTableNames(ctx, tx, w)
	if err != nil {
		return w, err
	}
	for _, source := range w.sources {
		switch {
		case !schemas[source.Schema]:
		case source.Vero:
			w.veroSchemas = append(w.veroSchemas, source.Schema)
		default:
			w.appSchemas = append(w.appSchemas, source.Schema)
		}
	}
	slices.Sort(w.veroSchemas)
	slices.Sort(w.appSchemas)
	rows, err = tx.Query(ctx, `
		select name, type, state, coalesce(reason, ''), coalesce(detail, ''), since,
		       coalesce(behind_since, '0001-01-01Z'), coalesce(complete_until, '0001-01-01Z'), updated_at
		from verobridge.destinations`)
	if err == nil {
		var p Place
		st := &p.Standing
		_, err = pgx.ForEachRow(rows, []any{
			&p.Destination, &p.Type, &st.State, &st.Reason, &st.Detail, &st.Since, &st.BehindSince, &st.CompleteUntil, &st.UpdatedAt,
		}, func() error {
			st.Since, st.BehindSince = st.Since.UTC(), st.BehindSince.UTC()
			st.CompleteUntil, st.UpdatedAt = st.CompleteUntil.UTC(), st.UpdatedAt.UTC()
			w.destinations[p.Destination] = p
			return nil
		})
	}
	if err != nil {
		return w, err
	}
	rows, err = tx.Query(ctx, "select source, destination, since from verobridge.routes")
	if err == nil {
		var from, to string
		var since time.Time
		_, err = pgx.ForEachRow(rows, []any{&from, &to, &since}, func() error {
			if w.routes[from] == nil {
				w.routes[from] = make(map[string]time.Time)
			}
			w.routes[from][to] = since.UTC()
			return nil
		})
	}
	return w, err
}

// readTableNames notes which tables the sources have, and returns their schemas.
func readTableNames(ctx context.Context, tx pgx.Tx, w world) (schemas map[string]bool, err error) {
	var wanted []string
	for _, s := range w.sources {
		wanted = append(wanted, s.Schema)
	}
	rows, err := tx.Query(ctx, `
		select n.nspname::text, c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = any($1) and c.relkind in ('r', 'p', 'v', 'm', 'f')`, wanted)
	if err != nil {
		return nil, err
	}
	schemas = make(map[string]bool)
	var schema, table string
	_, err = pgx.ForEachRow(rows, []any{&schema, &table}, func() error {
		schemas[schema], w.tables[schema+"."+table] = true, true
		return nil
	})
	return schemas, err
}

func (s *Store) readEvent(ctx context.Context, tx pgx.Tx, w world, messageID string) ([]Story, error) {
	var list []Story
	of := func(source string) *Story {
		for i := range list {
			if list[i].Source == source {
				return &list[i]
			}
		}
		list = append(list, Story{MessageID: messageID, Source: source, SourceType: w.types[source], now: w.now})
		return &list[len(list)-1]
	}
	if err := readPlaces(ctx, tx, messageID, of); err != nil {
		return nil, err
	}
	if err := readRejections(ctx, tx, messageID, of); err != nil {
		return nil, err
	}
	if err := readRefusals(ctx, tx, messageID, of); err != nil {
		return nil, err
	}
	for i := range list {
		if err := s.complete(ctx, tx, w, &list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// complete reads what else belongs to a story, and judges it.
func (s *Store) complete(ctx context.Context, tx pgx.Tx, w world, story *Story) error {
	if len(story.Places) > 0 {
		addPlaces(w, story)
		if err := readHeld(ctx, tx, story); err != nil {
			return err
		}
		if err := readOwnRows(ctx, tx, w, story); err != nil {
			return err
		}
		if err := readEmails(ctx, tx, w, story); err != nil {
			return err
		}
		if err := readTwin(ctx, tx, story); err != nil {
			return err
		}
	}
	story.Steps = steps(story)
	story.Verdict = judge(story)
	story.Notes = notes(story)
	return nil
}

func readPlaces(ctx context.Context, tx pgx.Tx, messageID string, of func(string) *Story) error {
	rows, err := tx.Query(ctx, `
		select source, destination, type, coalesce(event, ''), coalesce(user_id, ''), coalesce(anonymous_id, ''),
		       status, reason, detail, attempts, calls::text, received_at, coalesce(settled_at, '0001-01-01Z')
		from verobridge.deliveries where message_id = $1
		order by source, destination <> '`+warehouseName+`', destination`, messageID)
	if err != nil {
		return err
	}
	var source, calls string
	var p Place
	var e struct {
		kind, name, user, anonymous string
		received                    time.Time
	}
	_, err = pgx.ForEachRow(rows, []any{
		&source, &p.Destination, &e.kind, &e.name, &e.user, &e.anonymous,
		&p.Status, &p.Reason, &p.Detail, &p.Attempts, &calls, &e.received, &p.SettledAt,
	}, func() error {
		p.Calls = nil
		if err := json.Unmarshal([]byte(calls), &p.Calls); err != nil {
			return fmt.Errorf("read the calls to %s: %w", p.Destination, err)
		}
		p.SettledAt = p.SettledAt.UTC()
		s := of(source)
		s.Type, s.Event, s.ReceivedAt = e.kind, e.name, e.received.UTC()
		// A destination may have found out who an anonymous visitor is.
		s.UserID, s.AnonymousID = cmp.Or(e.user, s.UserID), cmp.Or(e.anonymous, s.AnonymousID)
		s.Places = append(s.Places, p)
		return nil
	})
	return err
}

func readRejections(ctx context.Context, tx pgx.Tx, messageID string, of func(string) *Story) error {
	rows, err := tx.Query(ctx, `
		select id, source, received_at, reason, detail, body from verobridge.rejected_events where id = $1
		union
		select id, source, received_at, reason, detail, body from verobridge.rejected_events where message_id = $1
		order by received_at limit 100`, messageID)
	if err != nil {
		return err
	}
	var r Rejection
	_, err = pgx.ForEachRow(rows, []any{&r.ID, &r.Source, &r.ReceivedAt, &r.Reason, &r.Detail, &r.Body}, func() error {
		r.ReceivedAt = r.ReceivedAt.UTC()
		s := of(r.Source)
		s.Rejections = append(s.Rejections, r)
		if s.ReceivedAt.IsZero() {
			s.ReceivedAt = r.ReceivedAt
		}
		if s.Type == string(event.Rejected) { // the report of its own loading
			s.Places = nil
		}
		return nil
	})
	return err
}

func readRefusals(ctx context.Context, tx pgx.Tx, messageID string, of func(string) *Story) error {
	rows, err := tx.Query(ctx, `
		select at, reason, detail, coalesce(source, ''), coalesce(write_key, ''), requests
		from verobridge.refusals where message_ids @> array[$1::text] order by at limit 100`, messageID)
	if err != nil {
		return err
	}
	var r Refusal
	_, err = pgx.ForEachRow(rows, []any{&r.At, &r.Reason, &r.Detail, &r.Source, &r.Key, &r.Requests}, func() error {
		r.At = r.At.UTC()
		s := of(r.Source)
		s.Refusals = append(s.Refusals, r)
		if s.ReceivedAt.IsZero() {
			s.ReceivedAt = r.At
		}
		return nil
	})
	return err
}

// addPlaces adds how destinations stand, and those that have said nothing yet.
func addPlaces(w world, s *Story) {
	routes := w.routes[s.Source]
	for i := range s.Places {
		p := &s.Places[i]
		known := w.destinations[p.Destination]
		p.Type, p.Standing = known.Type, known.Standing
		if p.Destination == warehouseName {
			p.Type, p.Routed = warehouseType, true // every source's events go there
			continue
		}
		p.RoutedSince, p.Routed = routes[p.Destination]
	}
	for name, known := range w.destinations {
		if s.place(name) != nil || s.Type == string(event.Rejected) {
			continue
		}
		since, routed := routes[name]
		if routed || known.Type == veroType && s.SourceType != veroType && known.Standing.State != "gone" {
			known.Routed, known.RoutedSince = routed, since
			s.Places = append(s.Places, known)
		}
	}
	slices.SortFunc(s.Places, func(a, b Place) int {
		return cmp.Or(boolCompare(a.Type != warehouseType, b.Type != warehouseType), cmp.Compare(a.Destination, b.Destination))
	})
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b: // false comes first
		return -1
	default:
		return 1
	}
}

func readHeld(ctx context.Context, tx pgx.Tx, s *Story) error {
	if !slices.ContainsFunc(s.Places, func(p Place) bool { return p.Status == delivery.StatusHeld }) {
		return nil
	}
	err := tx.QueryRow(ctx, "select expires_at from verobridge.held_events where message_id = $1 and source = $2 order by 1 limit 1",
		s.MessageID, s.Source).Scan(&s.HeldUntil)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // it is being released in this moment
	}
	s.HeldUntil = s.HeldUntil.UTC()
	return err
}

// readTwin looks for an earlier event that Vero takes for the same one: equal in
// person, name and data, within five minutes (getvero-docs, "Track events"). The
// messageId in the data keeps events apart, so there is none unless the settings
// leave it out.
func readTwin(ctx context.Context, tx pgx.Tx, s *Story) error {
	focus := s.Focus()
	if focus == nil || focus.Type != veroType || focus.Status != delivery.StatusDelivered || s.UserID == "" || len(focus.Calls) == 0 {
		return nil
	}
	err := tx.QueryRow(ctx, `
		select o.message_id
		from verobridge.deliveries o
		join verobridge.deliveries e on e.source = $1 and e.message_id = $2 and e.destination = $3
		where o.user_id = $4 and o.received_at >= e.received_at - interval '5 minutes' and o.received_at <= e.received_at
		  and o.destination = e.destination and o.event = e.event and o.status = 'delivered' and o.settled_at < e.settled_at
		  and (o.source, o.message_id) <> (e.source, e.message_id)
		  and o.calls #> '{0,request,data}' = e.calls #> '{0,request,data}'
		order by o.received_at desc limit 1`, s.Source, s.MessageID, focus.Destination, s.UserID).Scan(&s.Twin)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}
