package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// RepairOptions says which column gets another type.
type RepairOptions struct {
	// URL is the database. Required.
	URL string
	// Schema, Table and Column name the column. Required.
	Schema, Table, Column string
	// Type is the type that it gets, in any of Postgres' spellings. Defaults to
	// the narrowest that holds what the column has and what did not fit.
	Type string
	// RecreateViews drops the views that use the column and makes them again.
	// Without it a column that views use is left alone.
	RecreateViews bool
	// LockTimeout is how long to wait for the table at a time, while others queue
	// behind. Defaults to 2 s.
	LockTimeout time.Duration
	// Patience is how long to try again to get the table. Defaults to 5 min.
	Patience time.Duration
	// Waiting is told each time the table was not to be had, with who holds it.
	// Defaults to nobody.
	Waiting func(holders []string)
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// RepairPlan says what a repair will do.
type RepairPlan struct {
	// From and To are the types, as Postgres writes them. They may be the same:
	// then only discards are put in.
	From, To string
	// Rows is how many rows Postgres believes the table has, and Bytes how large
	// it is. Another type means that all of it is written anew, while nobody can
	// read or write it.
	Rows, Bytes int64
	// Discards counts the values that did not fit, and Fitting those of them that
	// fit the new type.
	Discards, Fitting int64
	// Misfits counts the values in the column that do not fit the new type. They
	// become null and are kept in discards.
	Misfits int64
	// Views are the views that use the column, and those that use them, in the
	// order in which they can be made.
	Views []string

	views []dependent
}

// RepairResult says what a repair did.
type RepairResult struct {
	// Replayed counts discards that are in the column now, Kept those that still
	// do not fit, or whose row is gone or has another value by now.
	Replayed, Kept int64
	// Discarded counts values that the new type did not take.
	Discarded int64
}

// ErrViews is the error of Repair where views use the column and may not be
// dropped.
var ErrViews = errors.New("views use the column")

// repair is a repair on its way.
type repair struct {
	RepairOptions
	table table
	// discards is the schema's table of what did not fit.
	discards table
	typ      columnType
	conn     *pgx.Conn
}

// openRepair connects, and reads the column's type.
func openRepair(ctx context.Context, o RepairOptions) (*repair, columnType, error) {
	const lockTimeout, patience = 2 * time.Second, 5 * time.Minute
	if o.LockTimeout == 0 {
		o.LockTimeout = lockTimeout
	}
	if o.Patience == 0 {
		o.Patience = patience
	}
	if o.Waiting == nil {
		o.Waiting = func([]string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return nil, "", fmt.Errorf("repair: %w", err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // a pooler may sit in between
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, "", fmt.Errorf("reach warehouse: %w", err)
	}
	r := &repair{RepairOptions: o, table: table{o.Schema, o.Table}, conn: conn}
	current, err := r.prepare(ctx)
	if err != nil {
		r.close(ctx)
		return nil, "", err
	}
	return r, current, nil
}

func (r *repair) close(ctx context.Context) { _ = r.conn.Close(context.WithoutCancel(ctx)) }

// prepare finds the column, and the type that it should get.
func (r *repair) prepare(ctx context.Context) (current columnType, err error) {
	tables, err := readSchema(ctx, r.conn, r.Schema)
	if err != nil {
		return "", fmt.Errorf("read schema %s: %w", r.Schema, err)
	}
	r.discards = table{r.Schema, shapes[modeOf(tables)].discards}
	rel := tables[r.Table]
	if rel == nil {
		return "", fmt.Errorf("there is no table %s.%s; without a column, repair lists those that have values in discards", r.Schema, r.Table)
	}
	current = rel.columns[r.Column]
	if current == "" {
		return "", fmt.Errorf("table %s.%s has no column %s; without a column, repair lists those that have values in discards, and one that is missing has to be added first (alter table … add column …)", r.Schema, r.Table, r.Column)
	}
	if rel.columns["id"] == "" {
		return "", fmt.Errorf("table %s.%s has no column id, by which discards name its rows", r.Schema, r.Table)
	}
	if r.Column == "id" {
		return "", errors.New("id is the key that rows and discards are found by; it keeps its type")
	}
	if trackColumns.and(groupColumns).and(aliasColumns)[r.Column] != "" {
		return "", fmt.Errorf("%s is a standard column, whose type the bridge and models of analysts rely on; it keeps its type", r.Column)
	}
	if r.Type == "" {
		r.typ, err = r.suggest(ctx, current)
		return current, err
	}
	var name *string
	if err := r.conn.QueryRow(ctx, "select format_type(to_regtype($1), null)", r.Type).Scan(&name); err != nil {
		return "", fmt.Errorf("look up type %s: %w", r.Type, err)
	}
	if name == nil || !repairTypes[columnType(*name)] || strings.Contains(r.Type, "(") {
		return "", fmt.Errorf("a column can become text, numeric, bigint, boolean, timestamptz or jsonb, not %s", r.Type)
	}
	r.typ = columnType(*name)
	return current, nil
}

// repairTypes are the types that a column can get.
var repairTypes = map[columnType]bool{
	typeText: true, typeNumeric: true, typeBigint: true, typeBoolean: true, typeTimestamptz: true, typeJSONB: true,
}

// PlanRepair says what Repair would do. It changes nothing.
func PlanRepair(ctx context.Context, o RepairOptions) (RepairPlan, error) {
	r, current, err := openRepair(ctx, o)
	if err != nil {
		return RepairPlan{}, err
	}
	defer r.close(ctx)
	p := RepairPlan{From: string(current), To: string(r.typ)}
	err = r.conn.QueryRow(ctx, "select greatest(reltuples, 0)::bigint, pg_total_relation_size(oid) from pg_class where oid = $1::regclass",
		r.table.quoted()).Scan(&p.Rows, &p.Bytes)
	if err != nil {
		return p, fmt.Errorf("look at %s.%s: %w", r.Schema, r.Table, err)
	}
	err = r.eachDiscard(ctx, r.conn, func(_, _, text string) {
		p.Discards++
		if _, ok := r.typ.cast(discarded(text)); ok {
			p.Fitting++
		}
	})
	if err != nil {
		return p, err
	}
	if current == r.typ {
		return p, nil
	}
	if p.views, err = dependents(ctx, r.conn, r.table, r.Column); err != nil {
		return p, err
	}
	for _, v := range p.views {
		p.Views = append(p.Views, v.schema+"."+v.name)
	}
	err = r.eachMisfit(ctx, r.conn, current, func(string, string) error { p.Misfits++; return nil })
	return p, err
}

// Repair gives the column its type and puts into it what fits of the values that
// did not fit before, in one transaction. Loads of the schema wait meanwhile. It
// tries again while others hold the table.
func Repair(ctx context.Context, o RepairOptions) (RepairResult, error) {
	r, current, err := openRepair(ctx, o)
	if err != nil {
		return RepairResult{}, err
	}
	defer r.close(ctx)
	since := r.Now()
	for {
		result, err := r.once(ctx, current)
		if judge(err).verdict != verdictLocked {
			return result, err
		}
		if r.Now().Sub(since) >= r.Patience {
			return result, fmt.Errorf("%s.%s was in use for %s, and nothing was changed; try again when who holds it is done: %w", r.Schema, r.Table, r.Patience, err)
		}
		holders, asked := r.holders(ctx)
		if asked != nil {
			return result, errors.Join(err, asked)
		}
		r.Waiting(holders)
		select {
		case <-time.After(r.LockTimeout): // those who queued behind us have their turn
		case <-ctx.Done():
			return result, ctx.Err()
		}
	}
}

// once does all of it, or nothing.
func (r *repair) once(ctx context.Context, current columnType) (result RepairResult, err error) {
	err = pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		stamps, err := takeTurn(ctx, tx, []string{r.Schema}, r.Now())
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, fmt.Sprintf("set local lock_timeout = %d; set local timezone = 'UTC'; set local datestyle = 'ISO'; lock table %s in access exclusive mode",
			r.LockTimeout.Milliseconds(), r.table.quoted()))
		if err != nil {
			return fmt.Errorf("lock %s.%s: %w", r.Schema, r.Table, err)
		}
		if current != r.typ {
			if result.Discarded, err = r.change(ctx, tx, current); err != nil {
				return err
			}
		}
		result.Replayed, result.Kept, err = r.replay(ctx, tx, stamps[r.Schema])
		return err
	})
	return result, err
}

// change changes the type, with the views out of the way.
func (r *repair) change(ctx context.Context, tx pgx.Tx, current columnType) (discarded int64, err error) {
	views, err := dependents(ctx, tx, r.table, r.Column)
	if err != nil {
		return 0, err
	}
	if len(views) > 0 && !r.RecreateViews {
		return 0, ErrViews
	}
	if err := dropViews(ctx, tx, views); err != nil {
		return 0, err
	}
	if discarded, err = r.setAside(ctx, tx, current); err != nil {
		return 0, err
	}
	column := quoteName(r.Column)
	_, err = tx.Exec(ctx, fmt.Sprintf("alter table %s alter column %s type %s using %s", r.table.quoted(), column, r.typ, using(column, current, r.typ)))
	if err != nil {
		return 0, fmt.Errorf("change the type: %w", err)
	}
	return discarded, restoreViews(ctx, tx, views)
}

// using is how Postgres converts a value that fits. A time becomes text as the
// bridge writes times.
func using(column string, from, to columnType) string {
	switch base := from.form().base; {
	case to == typeText && strings.HasPrefix(base, "timestamp"):
		return fmt.Sprintf(`regexp_replace(to_char(%s::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '\.?0+Z$', 'Z')`, column)
	case to == typeJSONB:
		return fmt.Sprintf("to_jsonb(%s)", column)
	case to == typeText:
		return column + "::text"
	case to == typeBigint: // 5.00 is whole, and read as bigint only by way of numeric
		return column + "::text::numeric::bigint"
	default:
		return fmt.Sprintf("%s::text::%s", column, to)
	}
}

// holders says who holds locks on the table.
func (r *repair) holders(ctx context.Context) ([]string, error) {
	rows, err := r.conn.Query(ctx, `
		select distinct format('%s (%s, process %s, for %s)', a.usename, coalesce(nullif(a.application_name, ''), 'no name'), a.pid,
		       date_trunc('second', clock_timestamp() - a.xact_start))
		from pg_locks l join pg_stat_activity a on a.pid = l.pid
		where l.relation = $1::regclass and l.granted and l.database = (select oid from pg_database where datname = current_database())`,
		r.table.quoted())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
