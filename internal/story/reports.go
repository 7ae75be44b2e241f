package story

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/delivery"
)

// Reports returns what became of the events with some ids, as far as it is written
// down: the reports of the warehouse and of each destination, in no order.
func (s *Store) Reports(ctx context.Context, messageIDs []string) (reports []delivery.Report, err error) {
	const question = `
select source, message_id, destination, type, coalesce(event, ''), coalesce(user_id, ''), coalesce(anonymous_id, ''),
	status, reason, detail, attempts, calls, received_at, settled_at
from verobridge.deliveries where message_id = any($1)`
	err = s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, question, messageIDs)
		if err != nil {
			return err
		}
		reports, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r delivery.Report, err error) {
			var calls []byte
			var settled *time.Time
			if err := row.Scan(&r.Source, &r.MessageID, &r.Destination, &r.Type, &r.Event, &r.UserID, &r.AnonymousID,
				&r.Status, &r.Reason, &r.Detail, &r.Attempts, &calls, &r.ReceivedAt, &settled); err != nil {
				return r, err
			}
			if settled != nil {
				r.SettledAt = *settled
			}
			return r, json.Unmarshal(calls, &r.Calls)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read reports: %w", err)
	}
	return reports, nil
}
