package warehouse

import (
	"context"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
)

// insert writes the items' rows in one transaction, and counts them when it is
// committed.
func (l *Loader) insert(ctx context.Context, items []*item, parts []*part) error {
	if len(items) == 0 {
		return nil
	}
	in := &insertion{Loader: l, items: items, parts: parts, written: make(map[string]int)}
	err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		in.tx = tx
		return in.run(ctx)
	})
	if err == nil {
		in.count()
	}
	return err
}

// insertion is a transaction that writes the rows of a batch.
type insertion struct {
	*Loader
	tx     pgx.Tx
	items  []*item
	parts  []*part
	stamps map[string]value // the uuid_ts of the load, by schema
	// repeated says that some of the rows were there already.
	repeated bool
	// written counts the rows that got in, and those of calls that changed users or
	// accounts, by schema.
	written map[string]int
	// discards are what did not fit into them.
	discards []loss
}

// run writes the rows, then the states of those whose call is new, then what did
// not fit into either.
func (in *insertion) run(ctx context.Context) error {
	stamps, err := takeTurn(ctx, in.tx, schemasOf(in.items), in.now())
	if err != nil {
		return err
	}
	in.stamps = make(map[string]value, len(stamps))
	for schema, stamp := range stamps {
		in.stamps[schema] = timeValue(stamp)
	}
	// For thousands of ids Postgres would rather read a whole table than use
	// its key for each. A table without a key looks so dear then that it
	// would be worth compiling the query, which it is not.
	if _, err := in.tx.Exec(ctx, in.boundLocks()+"; set local enable_seqscan = off; set local jit = off"); err != nil {
		return err
	}
	if err := in.leaveOutRepeated(ctx); err != nil {
		return err
	}
	if err := in.copyParts(ctx); err != nil {
		return err
	}
	for _, p := range in.parts {
		if err := in.writeStates(ctx, p); err != nil {
			return &tableError{p.table, err}
		}
	}
	return in.copyDiscards(ctx)
}

// copyParts writes the rows of all tables. While Postgres works on one table the
// next is cast, but not before it has the first whole: on a machine with few
// processors it would wait for that meanwhile.
func (in *insertion) copyParts(ctx context.Context) error {
	var copying sync.WaitGroup
	defer copying.Wait()
	var failed error
	for i, p := range in.parts {
		buf := &in.bufs[i%len(in.bufs)]
		into := newTuples(p.rel, *buf)
		into.rows = make([]extent, 0, len(p.rows))
		for _, r := range p.rows {
			in.fit(r, into)
			into.end()
		}
		*buf = into.fields
		in.written[p.table.schema] += len(p.rows)
		copying.Wait()
		if failed != nil {
			return failed
		}
		sent := make(chan struct{})
		copying.Go(func() {
			if err := into.copyTo(ctx, in.tx, p.table, sync.OnceFunc(func() { close(sent) })); err != nil {
				failed = &tableError{p.table, err}
			}
		})
		<-sent
	}
	copying.Wait()
	return failed
}

// fit casts a row to its table, with the time of the load, and takes note of
// what did not fit.
func (in *insertion) fit(r *row, into *tuples) overflow {
	over, losers := into.fit(r)
	if _, ok := r.standard["uuid_ts"]; ok {
		into.set(into.target("uuid_ts"), in.stamps[r.table.schema])
	}
	for _, v := range losers {
		in.discards = append(in.discards, loss{r, v})
	}
	return over
}

// count counts what was written.
func (in *insertion) count() {
	switch {
	case in.repeated:
		in.wary = wariness
	case in.wary > 0:
		in.wary--
	}
	for schema, n := range in.written {
		in.metrics.rows.WithLabelValues(schema).Add(float64(n))
	}
	for _, d := range in.discards {
		in.metrics.discards.WithLabelValues(d.row.table.schema, d.reason).Inc()
	}
	now := in.now()
	for _, it := range in.items {
		if rows := it.record.rows; len(rows) > 0 && rows[0].fresh {
			in.metrics.freshness.Observe(now.Sub(it.event.ReceivedAt).Seconds())
		}
	}
}

// schemasOf returns the schemas that the items' rows go to.
func schemasOf(items []*item) []string {
	var schemas []string
	for _, it := range items {
		if schema := it.record.schema(); !slices.Contains(schemas, schema) {
			schemas = append(schemas, schema)
		}
	}
	return schemas
}
