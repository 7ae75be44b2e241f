package people

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// relation is a table of a source that says something about people.
type relation struct {
	Schema, Name string
	Columns      []string // those that name people, and id
}

func (r relation) quoted() string { return pgx.Identifier{r.Schema, r.Name}.Sanitize() }

func (r relation) String() string { return r.Schema + "." + r.Name }

func (r relation) has(column string) bool { return slices.Contains(r.Columns, column) }

// emailColumns hold the address of whom a row is about, or of whom Vero mailed.
var emailColumns = []string{"email", "context_traits_email", "sent_to"}

func (r relation) emails() []string {
	return slices.DeleteFunc(slices.Clone(emailColumns), func(column string) bool { return !r.has(column) })
}

// namesPeople says whether the table is one that the links between identifiers
// are found in. It is emptied last, so that an erasure that was cut short finds
// them again.
func (r relation) namesPeople() bool {
	return slices.Contains([]string{"users", "identifies", "aliases"}, r.Name)
}

// discards is the table of the values that did not fit, in the schemas of either
// kind of warehouse.
var discards = []string{"discards", "rudder_discards"}

// readRelations lists the tables of schemas, and of those that the warehouse
// has loaded into.
func readRelations(ctx context.Context, db querier, schemas []string) ([]relation, error) {
	rows, err := db.Query(ctx, `
		select n.nspname, c.relname, array_agg(a.attname::text)
		from pg_class c
		join pg_namespace n on n.oid = c.relnamespace
		join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		where (n.nspname = any($1) or n.nspname in (select schema from verobridge.loads))
		  and n.nspname <> 'verobridge' and c.relkind in ('r', 'p') and not c.relispartition
		  and a.attname = any($2)
		group by 1, 2 order by 1, 2`, schemas, append([]string{"id", "row_id", "user_id", "anonymous_id", "previous_id"}, emailColumns...))
	if err != nil {
		return nil, wrap("list tables", err)
	}
	relations, err := pgx.CollectRows(rows, pgx.RowToStructByPos[relation])
	return relations, wrap("list tables", err)
}

// about is the condition on the rows about a person, "" if the table has no
// column that could say so: $1 are the users, $2 the visitors, $3 the addresses.
// A row that names another user is that user's.
func (r relation) about() string {
	var any []string
	theirs := "true"
	if r.has("user_id") {
		any = append(any, "user_id::text = any($1)")
		theirs = "(user_id is null or user_id::text = any($1))"
	}
	if r.Name == "accounts" { // companies: their ids are those of groups
		return ""
	}
	if r.Name == "users" || r.Name == "_users" {
		return "id::text = any($1)"
	}
	if r.has("anonymous_id") {
		any = append(any, theirs+" and (anonymous_id::text = any($2) or lower(anonymous_id::text) = any($3))")
	}
	if r.has("previous_id") {
		any = append(any, "previous_id::text = any($1)", theirs+" and previous_id::text = any($2)")
	}
	for _, column := range r.emails() {
		any = append(any, theirs+" and lower("+column+"::text) = any($3)")
	}
	if any == nil {
		return ""
	}
	return "(" + strings.Join(any, ") or (") + ")"
}

// given lets a statement leave out some of its arguments.
const given = "given as (select $1::text[], $2::text[], $3::text[])"

// countSQL counts the rows about a person.
func (r relation) countSQL() string {
	return fmt.Sprintf("with %s select count(*) from %s where %s", given, r.quoted(), r.about())
}

// deleteSQL deletes the rows about a person, with what was discarded of them and
// with the fates of their events, and counts all three.
func (r relation) deleteSQL(discards *relation) string {
	id := "null::text"
	if r.has("id") {
		id = "id::text"
	}
	lost := "select 1 where false"
	if discards != nil {
		lost = fmt.Sprintf("delete from %s d using gone where d.table_name = $4 and d.row_id = gone.id returning 1", discards.quoted())
	}
	return fmt.Sprintf(`with %s, named as (select $4::text),
		gone as (delete from %s where %s returning %s as id),
		lost as (%s),
		fates as (delete from verobridge.deliveries d using gone where d.message_id = gone.id
		          and (d.user_id is null or d.user_id = any($1)) returning 1)
		select (select count(*) from gone), (select count(*) from lost), (select count(*) from fates)`,
		given, r.quoted(), r.about(), id, lost)
}
