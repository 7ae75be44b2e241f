package warehouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/verobridge/verobridge/internal/event"
)

// maxRefusals bounds the rows of verobridge.refusals, the oldest go first: some
// 20 MB at most, whatever strangers send.
const maxRefusals = 10_000

const (
	// An array of arrays must be even, so the ids of a row travel as one text.
	insertRefusals = `
insert into verobridge.refusals (at, reason, detail, source, write_key, message_ids, calls, requests)
select a, r, d, nullif(s, ''), nullif(k, ''), coalesce(string_to_array(nullif(m, ''), e'\n'), '{}'), c, q
from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[])
  x (a, r, d, s, k, m, c, q)`

	trimRefusals = `delete from verobridge.refusals where id <= (select max(id) from verobridge.refusals) - $1`
)

// WriteRefusals writes which requests were refused as a whole, and deletes the
// oldest where there are too many.
func (l *Loader) WriteRefusals(ctx context.Context, refusals []event.Refusal) error {
	if len(refusals) == 0 {
		return nil
	}
	if err := l.Prepare(ctx); err != nil {
		return fmt.Errorf("write refusals: %w", err)
	}
	n := len(refusals)
	at := make([]time.Time, n)
	reasons, details, sources, keys, ids := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	calls, requests := make([]int64, n), make([]int64, n)
	for i, r := range refusals {
		at[i], reasons[i], details[i] = r.At, r.Reason, cleanText(r.Detail)
		sources[i], keys[i] = r.Source, cleanText(r.Key)
		ids[i] = cleanText(strings.Join(r.MessageIDs, "\n"))
		calls[i], requests[i] = int64(r.Calls), int64(r.Requests)
	}
	if _, err := l.pool.Exec(ctx, insertRefusals, at, reasons, details, sources, keys, ids, calls, requests); err != nil {
		return fmt.Errorf("write refusals: %w", err)
	}
	if _, err := l.pool.Exec(ctx, trimRefusals, maxRefusals); err != nil {
		return fmt.Errorf("trim refusals: %w", err)
	}
	return nil
}
