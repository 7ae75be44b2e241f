package warehouse

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// verify counts the rows of items, and how many of them are there.
func (im *Import) verify(ctx context.Context, items []*item, counts *ImportCounts) error {
	ids := make(map[table][]string)
	repeated := make(map[table]int64)
	add := func(r *row) {
		ids[r.table] = append(ids[r.table], r.id)
		if !r.fresh {
			repeated[r.table]++
		}
	}
	for _, it := range items {
		for i := range it.record.rows {
			add(&it.record.rows[i])
		}
		if it.record.state != nil {
			add(it.record.state)
		}
	}
	for _, t := range slices.SortedFunc(maps.Keys(ids), compareTables) {
		n, err := im.loader.present(ctx, t, ids[t])
		if err != nil {
			return fmt.Errorf("count the rows of %s.%s: %w", t.schema, t.name, err)
		}
		n.Repeated = repeated[t]
		counts.count(t.schema+"."+t.name, n)
	}
	return nil
}

// present counts ids, those that the table's key can hold, and how many of them
// the table has.
func (l *Loader) present(ctx context.Context, t table, ids []string) (n TableCount, err error) {
	typ, keys, err := l.keysOf(ctx, t, ids)
	if err != nil || typ == "" {
		return TableCount{Read: int64(len(ids))}, err
	}
	sql := fmt.Sprintf("select count(*) from unnest($1::text[]::%s[]) k (id) where exists (select from %s t where t.id = k.id)",
		typ, t.quoted())
	n.Read = int64(len(keys))
	err = pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		// As in a load: for thousands of ids, rather by the key than by all rows.
		if _, err := tx.Exec(ctx, "set local enable_seqscan = off; set local jit = off"); err != nil {
			return err
		}
		return tx.QueryRow(ctx, sql, keys).Scan(&n.Present)
	})
	return n, err
}

// keysOf returns the ids that a table's key can hold, and the key's type, none if
// there is no such table.
func (l *Loader) keysOf(ctx context.Context, t table, ids []string) (typ columnType, keys []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.catalog.read(ctx, l.pool, t.schema); err != nil {
		return "", nil, err
	}
	rel := l.catalog.relation(t)
	if rel == nil {
		return "", nil, nil
	}
	for _, id := range ids {
		if key := rel.key(id); key != nil {
			keys = append(keys, *key)
		}
	}
	return rel.columns["id"], keys, nil
}
