package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/event"
)

// EraserOptions say where people are forgotten, beside verobridge's own tables.
type EraserOptions struct {
	// Schemas are those of the sources. Schemas that the warehouse has loaded
	// into are looked through as well.
	Schemas []string
	// Kept deletes the dead letters about events that match, and returns how many.
	// What is queued, to be sent or to be sent again, is skipped by Guard when its
	// turn comes. Required.
	Kept func(ctx context.Context, match func(event.Event) bool) (int, error)
	// Remote deletes a person at each destination that can, by its name. Defaults
	// to none.
	Remote map[string]func(ctx context.Context, id string) error
	// Others is how long other programs take that deliver to the same destinations
	// until they skip the events of a person; nothing is deleted before. Defaults to
	// 0: there are none.
	Others time.Duration
	// Progress is told how many rows a step has deleted. Defaults to nobody.
	Progress func(what string, deleted int)
}

// Found is what an erasure would delete.
type Found struct {
	// Person is by what the person is known.
	Person *person `json:"person"`
	// Counts are the rows in each table. Tables without any are left out.
	Counts map[string]int `json:"counts"`
}

// Receipt says what an erasure has done. It names nobody.
type Receipt struct {
	ID         string    `json:"id"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	// Hashes are the suppressions that keep the person out from now on.
	Hashes []string `json:"hashes"`
	// Counts are the rows deleted in each table, and the calls to others.
	Counts map[string]int `json:"counts"`
	// Remaining is what could not be done, and why. The same erasure again goes
	// on with it.
	Remaining []string `json:"remaining"`
}

// ErrNobody says that an erasure names nobody.
var ErrNobody = errors.New("name a person by user id, e-mail address or anonymous id")

// Find looks up what an erasure of a person would delete. It changes nothing.
func (p *People) Find(ctx context.Context, o EraserOptions, seed []Identifier) (Found, error) {
	who, relations, err := p.find(ctx, o, seed)
	if err != nil {
		return Found{}, err
	}
	f := Found{Person: who, Counts: make(map[string]int)}
	count := func(name, sql string) error {
		var n int
		if err := p.db.pool.QueryRow(ctx, sql, orEmpty(who.Users), orEmpty(who.Anonymous), orEmpty(who.Emails)).Scan(&n); err != nil {
			return fmt.Errorf("count %s: %w", name, err)
		}
		if n > 0 {
			f.Counts[name] = n
		}
		return nil
	}
	for _, r := range relations {
		if r.about() == "" {
			continue
		}
		if err := count(r.String(), r.countSQL()); err != nil {
			return Found{}, err
		}
	}
	for _, t := range ownTables {
		if err := count(t.name, "with "+given+" select count(*) from "+t.name+" where "+t.about); err != nil {
			return Found{}, err
		}
	}
	rejected, err := p.rejected(ctx, who)
	if len(rejected) > 0 {
		f.Counts[rejectedTable] = len(rejected)
	}
	return f, err
}

func (p *People) find(ctx context.Context, o EraserOptions, seed []Identifier) (*person, []relation, error) {
	seed = slices.DeleteFunc(slices.Clone(seed), func(id Identifier) bool { return id.Value == "" })
	if len(seed) == 0 {
		return nil, nil, ErrNobody
	}
	relations, err := readRelations(ctx, p.db.pool, o.Schemas)
	if err != nil {
		return nil, nil, err
	}
	who, err := find(ctx, p.db.pool, relations, seed)
	return who, relations, err
}

// ownTables are verobridge's own about people, with the condition on the rows
// about one.
var ownTables = []struct{ name, about string }{
	{"verobridge.deliveries", "user_id = any($1) or user_id is null and (anonymous_id = any($2) or lower(anonymous_id) = any($3))"},
	{"verobridge.held_events", "anonymous_id = any($2)"},
	{identitiesTable, "user_id = any($1)"},
}

const (
	identitiesTable = "verobridge.identities"
	rejectedTable   = "verobridge.rejected_events"
)

// Erase forgets a person: from now on nothing about the person is delivered
// anywhere, and what there is gets deleted. What cannot be done now is in the
// receipt's Remaining; the same call again goes on with it. An error means that
// nothing was deleted.
func (p *People) Erase(ctx context.Context, o EraserOptions, seed []Identifier) (Receipt, error) {
	who, relations, err := p.find(ctx, o, seed)
	if err != nil {
		return Receipt{}, err
	}
	hashes, err := p.suppress(ctx, who)
	if err != nil {
		return Receipt{}, err
	}
	e := &erasure{people: p, o: o, who: who, relations: relations}
	if e.receipt, err = p.begin(ctx, hashes); err != nil {
		return Receipt{}, err
	}
	if err := e.awaitOthers(ctx); err != nil {
		return e.receipt, err
	}
	e.run(ctx)
	return e.receipt, p.finish(ctx, &e.receipt)
}

// suppress keeps a person out, from the next delivery on. Those under way end
// first.
func (p *People) suppress(ctx context.Context, who *person) ([]string, error) {
	p.delivering.Lock()
	defer p.delivering.Unlock()
	hashes, err := p.suppressions.add(ctx, who.identifiers())
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.recorders {
		r.written.Purge()
	}
	for _, r := range p.resolvers {
		r.visitors.Purge()
		r.owed.Purge()
	}
	return hashes, nil
}

// begin writes down that an erasure has begun, or goes on with one of the same
// person that was cut short.
func (p *People) begin(ctx context.Context, hashes []string) (Receipt, error) {
	r := Receipt{ID: uuid.Must(uuid.NewV7()).String(), StartedAt: p.now().UTC(), Hashes: hashes, Counts: make(map[string]int)}
	var counts string
	err := p.db.pool.QueryRow(ctx, `
		select id, started_at, counts::text from verobridge.erasures
		where finished_at is null and hashes && $1::text[] order by started_at limit 1`, hashes).Scan(&r.ID, &r.StartedAt, &counts)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return Receipt{}, wrap("begin erasure", err)
	default:
		if err := json.Unmarshal([]byte(counts), &r.Counts); err != nil {
			return Receipt{}, wrap("go on with erasure "+r.ID, err)
		}
	}
	r.Remaining = []string{"all"}
	return r, p.write(ctx, r)
}

// finish writes what was done. The erasure is finished if nothing remains.
func (p *People) finish(ctx context.Context, r *Receipt) error {
	if len(r.Remaining) == 0 {
		r.FinishedAt = p.now().UTC()
	}
	return p.write(ctx, *r)
}

func (p *People) write(ctx context.Context, r Receipt) error {
	counts, err := json.Marshal(r.Counts)
	if err != nil {
		return wrap("write receipt", err)
	}
	var finished *time.Time
	if !r.FinishedAt.IsZero() {
		finished = &r.FinishedAt
	}
	_, err = p.db.pool.Exec(ctx, `
		insert into verobridge.erasures (id, started_at, finished_at, hashes, counts, remaining)
		values ($1, $2, $3, $4::text[], $5::text::jsonb, $6::text[])
		on conflict (id) do update set finished_at = excluded.finished_at, hashes = excluded.hashes,
		  counts = excluded.counts, remaining = excluded.remaining`,
		r.ID, r.StartedAt, finished, orEmpty(r.Hashes), string(counts), orEmpty(r.Remaining))
	return wrap("write receipt", err)
}
