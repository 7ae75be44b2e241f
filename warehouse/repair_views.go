package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// dependent is a view that uses a column, itself or by way of another view, with
// all that makes it again.
type dependent struct {
	schema, name string
	materialized bool
	owner        string
	definition   string
	options      string   // of "with", as Postgres keeps them
	comments     []string // statements
	grants       []string // statements
	indexes      []string // statements, of a materialized view
	// special is what the view has that is not made again, "" for nothing.
	special string
}

func (d dependent) quoted() string { return table{d.schema, d.name}.quoted() }

// dependentsQuery lists the views that use a column, each behind those that it
// uses itself.
const dependentsQuery = `
with recursive uses (view, depth) as (
	select r.ev_class, 1
	from pg_depend d join pg_rewrite r on r.oid = d.objid
	where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
	  and d.refobjid = $1::regclass and r.ev_class <> d.refobjid
	  and d.refobjsubid = (select attnum from pg_attribute where attrelid = $1::regclass and attname = $2 and not attisdropped)
	union
	select r.ev_class, u.depth + 1
	from uses u
	join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = u.view and d.classid = 'pg_rewrite'::regclass
	join pg_rewrite r on r.oid = d.objid and r.ev_class <> u.view
)
select n.nspname, c.relname, c.relkind = 'm', pg_get_userbyid(c.relowner), pg_get_viewdef(c.oid),
  coalesce(array_to_string(c.reloptions, ', '), ''),
  array(select case when d.objsubid = 0
      then format('comment on %s %I.%I is %L', case c.relkind when 'm' then 'materialized view' else 'view' end, n.nspname, c.relname, d.description)
      else format('comment on column %I.%I.%I is %L', n.nspname, c.relname, a.attname, d.description) end
    from pg_description d left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid
    where d.classoid = 'pg_class'::regclass and d.objoid = c.oid),
  array(select format('grant %s on %I.%I to %s%s', g.privilege_type, n.nspname, c.relname,
      case when g.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(g.grantee)) end,
      case when g.is_grantable then ' with grant option' else '' end)
    from aclexplode(c.relacl) g where g.grantee <> c.relowner),
  array(select pg_get_indexdef(i.indexrelid) from pg_index i where i.indrelid = c.oid),
  coalesce(case
    when exists (select from pg_trigger where tgrelid = c.oid and not tgisinternal) then 'a trigger'
    when exists (select from pg_rewrite where ev_class = c.oid and rulename <> '_RETURN') then 'a rule'
    when exists (select from pg_attribute where attrelid = c.oid and attacl is not null) then 'rights on single columns'
  end, '')
from (select view, max(depth) as depth from uses group by view) u
join pg_class c on c.oid = u.view
join pg_namespace n on n.oid = c.relnamespace
order by u.depth, n.nspname, c.relname`

// dependents returns the views that use a column.
func dependents(ctx context.Context, db querier, t table, column string) ([]dependent, error) {
	rows, err := db.Query(ctx, dependentsQuery, t.quoted(), column)
	if err != nil {
		return nil, fmt.Errorf("look for views: %w", err)
	}
	views, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d dependent, err error) {
		return d, row.Scan(&d.schema, &d.name, &d.materialized, &d.owner, &d.definition, &d.options,
			&d.comments, &d.grants, &d.indexes, &d.special)
	})
	if err != nil {
		return nil, fmt.Errorf("look for views: %w", err)
	}
	return views, nil
}

// dropViews drops views, those that use others first. It refuses where it could
// not make one again as it was.
func dropViews(ctx context.Context, tx pgx.Tx, views []dependent) error {
	for _, v := range views {
		if v.special != "" {
			return fmt.Errorf("view %s.%s has %s, which would be lost; drop the view by hand and make it again afterwards", v.schema, v.name, v.special)
		}
	}
	for _, v := range slices.Backward(views) {
		if _, err := tx.Exec(ctx, "drop "+v.kind()+" "+v.quoted()); err != nil {
			return fmt.Errorf("drop view %s.%s: %w", v.schema, v.name, err)
		}
	}
	return nil
}

// restoreViews makes the views again, with their owners, rights, comments and
// indexes.
func restoreViews(ctx context.Context, tx pgx.Tx, views []dependent) error {
	for _, v := range views {
		with := ""
		if v.options != "" {
			with = " with (" + v.options + ")"
		}
		statements := []string{fmt.Sprintf("create %s %s%s as %s", v.kind(), v.quoted(), with, strings.TrimSuffix(v.definition, ";"))}
		statements = append(statements, v.indexes...)
		statements = append(statements, v.comments...)
		statements = append(statements, v.grants...)
		statements = append(statements, fmt.Sprintf("alter %s %s owner to %s", v.kind(), v.quoted(), quoteName(v.owner)))
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("make view %s.%s again: %w", v.schema, v.name, err)
			}
		}
	}
	return nil
}

func (d dependent) kind() string {
	if d.materialized {
		return "materialized view"
	}
	return "view"
}
