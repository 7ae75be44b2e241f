package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// importState is how far a file or table is, as it is kept.
type importState struct {
	position, digest string
	counts           ImportCounts
	finished         bool
}

// state reads how far the last import of an origin came.
func (im *Import) state(ctx context.Context, origin string) (importState, error) {
	var s importState
	if im.Again {
		return s, nil
	}
	rows, err := im.loader.pool.Query(ctx, `select position, digest, counts::text, finished_at is not null
		from verobridge.imports where target = $1 and origin = $2`, im.schema, cleanText(origin))
	if err != nil {
		return s, fmt.Errorf("read how far the import is: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		var counts string
		if err := rows.Scan(&s.position, &s.digest, &counts, &s.finished); err != nil {
			return s, fmt.Errorf("read how far the import is: %w", err)
		}
		if err := json.Unmarshal([]byte(counts), &s.counts); err != nil {
			return s, fmt.Errorf("read how far the import is: %w", err)
		}
	}
	return s, rows.Err()
}

// save keeps how far the import of an origin is.
func (im *Import) save(ctx context.Context, origin string, s importState) error {
	counts, err := json.Marshal(s.counts)
	if err != nil {
		return fmt.Errorf("save how far the import is: %w", err)
	}
	now := im.loader.now()
	var finished *time.Time
	if s.finished {
		finished = &now
	}
	_, err = im.loader.pool.Exec(ctx, `
		insert into verobridge.imports (target, origin, position, digest, counts, updated_at, finished_at)
		values ($1, $2, $3, $4, $5::text::jsonb, $6, $7)
		on conflict (target, origin) do update set position = excluded.position, digest = excluded.digest,
			counts = excluded.counts, updated_at = excluded.updated_at, finished_at = excluded.finished_at`,
		im.schema, cleanText(origin), strings.ReplaceAll(s.position, "\x00", ""), s.digest, string(counts), now, finished)
	if err != nil {
		return fmt.Errorf("save how far the import is: %w", err)
	}
	return nil
}
