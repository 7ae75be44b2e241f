package story

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The events of a person that are not well, whichever page is looked at: the newest
// that failed, and the oldest that waits. One without a row at a destination that is
// behind waits there as well.
const (
	myDeliveries = `
		select * from verobridge.deliveries where user_id = any($1)
		union
		select * from verobridge.deliveries where anonymous_id = any($2) and (user_id is null or user_id = any($1) or anonymous_id = $3)`
	failedOfMine = `
		select source, message_id, destination from (` + myDeliveries + `) mine
		where status in ('dead', 'ambiguous') order by received_at desc limit 1`
	waitingOfMine = `
		with mine as (` + myDeliveries + `)
		select source, message_id, destination from (
		  select received_at, source, message_id, destination from mine where status in ('waiting', 'held')
		  union all
		  select mine.received_at, mine.source, mine.message_id, r.destination
		  from mine join verobridge.routes r using (source) join verobridge.destinations d on d.name = r.destination
		  where mine.received_at >= greatest(r.since, d.behind_since) and d.behind_since is not null and mine.type <> 'rejected'
		    and not exists (select from mine m where m.source = mine.source and m.message_id = mine.message_id and m.destination = r.destination)
		) w order by received_at limit 1`
)

// readTrouble reads the verdict on the event that a question finds, at its
// destination, nil if it finds none.
func (s *Store) readTrouble(ctx context.Context, tx pgx.Tx, w world, t *Timeline, question string) (*Verdict, error) {
	var source, id, destination string
	err := tx.QueryRow(ctx, question, t.Users, t.Visitors, t.asked).Scan(&source, &id, &destination)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stories, err := s.readEvent(ctx, tx, w, id)
	if err != nil {
		return nil, err
	}
	for i := range stories {
		if p := stories[i].place(destination); p != nil && stories[i].Source == source {
			v := firstOf(causes, &stories[i], p)
			v.Detail = strings.TrimSpace(fmt.Sprintf("%s %s at %s: %s %s", cmp.Or(stories[i].Event, stories[i].Type), id, destination, v.Cause, v.Detail))
			return &v, nil
		}
	}
	return nil, nil
}
