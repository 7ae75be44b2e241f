package warehouse

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
)

// State is how the bridge stands, as verobridge.sources, routes and destinations
// keep it.
type State struct {
	// Started is since when every event that comes in goes where Sources say.
	Started time.Time
	// At is now.
	At           time.Time
	Sources      []SourceState
	Destinations []DestinationState
}

// SourceState is a source in the settings.
type SourceState struct {
	Name, Type, Trust string
	// Destinations are those that its events go to, the warehouse among them.
	Destinations []string
}

// DestinationState is a destination in the settings, and how it stands. Of one that
// another bridge delivers to, that one writes how.
type DestinationState struct {
	Type string
	delivery.Standing
}

const (
	upsertSources = `
insert into verobridge.sources (name, type, trust, schema, updated_at)
select n, t, r, s, $5 from unnest($1::text[], $2::text[], $3::text[], $4::text[]) s (n, t, r, s)
on conflict (name) do update set type = excluded.type, trust = excluded.trust, schema = excluded.schema, updated_at = excluded.updated_at`

	// A route that is removed and comes back owes nothing for the time between.
	deleteRoutes = `
delete from verobridge.routes where (source, destination) not in (select * from unnest($1::text[], $2::text[]))`

	insertRoutes = `
insert into verobridge.routes (source, destination, since)
select s, d, $3 from unnest($1::text[], $2::text[]) r (s, d)
on conflict do nothing`

	// What is promised is kept: complete_until does not go back, though a restart
	// begins without a promise.
	upsertDestinations = `
insert into verobridge.destinations as d (
    name, type, state, reason, detail, since, behind_since, complete_until, backlog_records, retrying_events, updated_at)
select n, t, s, nullif(r, ''), nullif(dt, ''), coalesce(ps, $11), b, c, br, re, $11
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
            $8::timestamptz[], $9::bigint[], $10::bigint[]) x (n, t, s, r, dt, ps, b, c, br, re)
on conflict (name) do update set
    type = excluded.type, state = excluded.state, reason = excluded.reason, detail = excluded.detail,
    since = case when d.state = excluded.state then d.since else excluded.since end,
    behind_since = excluded.behind_since, complete_until = greatest(d.complete_until, excluded.complete_until),
    backlog_records = excluded.backlog_records, retrying_events = excluded.retrying_events, updated_at = excluded.updated_at`

	// One that is gone is not promised for: where it comes back it starts anew.
	markGone = `
update verobridge.destinations
set state = 'gone', since = $2, reason = null, detail = null, behind_since = null, complete_until = null,
    backlog_records = 0, retrying_events = 0, updated_at = $2
where state <> 'gone' and name <> all($1::text[])`

	deleteSources = `delete from verobridge.sources where name <> all($1::text[])`
)

// The states of a destination in verobridge.destinations.
const (
	stateRunning = "running"
	statePaused  = "paused"
)

// WriteState writes how the bridge stands. It is safe to repeat.
func (l *Loader) WriteState(ctx context.Context, s State) error {
	if err := l.Prepare(ctx); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if err := writeSources(ctx, tx, s); err != nil {
			return err
		}
		return writeDestinations(ctx, tx, s)
	})
	if err != nil {
		if isGone(sqlState(err)) {
			l.prepared.Store(false)
		}
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

func writeSources(ctx context.Context, tx pgx.Tx, s State) error {
	names, types, trust, schemas := []string{}, []string{}, []string{}, []string{}
	from, to := []string{}, []string{}
	for _, source := range s.Sources {
		names, types = append(names, source.Name), append(types, source.Type)
		trust, schemas = append(trust, source.Trust), append(schemas, schemaName(source.Name))
		for _, d := range source.Destinations {
			from, to = append(from, source.Name), append(to, d)
		}
	}
	if _, err := tx.Exec(ctx, deleteSources, names); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, upsertSources, names, types, trust, schemas, s.At); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, deleteRoutes, from, to); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, insertRoutes, from, to, s.Started)
	return err
}

func writeDestinations(ctx context.Context, tx pgx.Tx, s State) error {
	all := []string{}
	for _, d := range s.Destinations {
		all = append(all, d.Destination)
	}
	here := slices.DeleteFunc(slices.Clone(s.Destinations), func(d DestinationState) bool { return d.Elsewhere })
	n := len(here)
	names, types, states := make([]string, n), make([]string, n), make([]string, n)
	reasons, details := make([]string, n), make([]string, n)
	paused, behind, complete := make([]*time.Time, n), make([]*time.Time, n), make([]*time.Time, n)
	backlog, retrying := make([]int64, n), make([]int64, n)
	for i, d := range here {
		names[i], types[i], states[i] = d.Destination, d.Type, stateRunning
		if !d.PausedSince.IsZero() {
			states[i] = statePaused
		}
		reasons[i], details[i] = string(d.Reason), cleanText(d.Detail)
		paused[i], behind[i], complete[i] = orNull(d.PausedSince), orNull(d.BehindSince), orNull(d.CompleteUntil)
		backlog[i], retrying[i] = int64(d.Backlog), int64(d.Retrying)
	}
	if _, err := tx.Exec(ctx, markGone, all, s.At); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, upsertDestinations, names, types, states, reasons, details, paused, behind, complete, backlog, retrying, s.At)
	return err
}

// orNull returns a time as Postgres has it, null for the zero time.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
