package warehouse

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

const selectStatuses = `
select coalesce(d.status, '')
from unnest($2::text[], $3::text[]) with ordinality as e (source, message_id, n)
left join verobridge.deliveries d on d.source = e.source and d.message_id = e.message_id and d.destination = $1
order by e.n`

// Statuses returns what became of each event at a destination, "" where nothing
// is known.
func (l *Loader) Statuses(ctx context.Context, destination string, events []event.Event) ([]delivery.Status, error) {
	sources, ids := make([]string, len(events)), make([]string, len(events))
	for i, e := range events {
		sources[i], ids[i] = cleanText(e.Source), cleanText(e.ID)
	}
	rows, err := l.pool.Query(ctx, selectStatuses, destination, sources, ids)
	if err != nil {
		return nil, fmt.Errorf("look up deliveries: %w", err)
	}
	statuses, err := pgx.CollectRows(rows, pgx.RowTo[delivery.Status])
	if err != nil {
		return nil, fmt.Errorf("look up deliveries: %w", err)
	}
	return statuses, nil
}
