package people

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// person is everything that somebody is known by: sorted, without repetitions.
// Addresses are in lower case.
type person struct {
	Users     []string `json:"users"`
	Anonymous []string `json:"anonymous"`
	Emails    []string `json:"emails"`
}

// add adds identifiers and says whether any of them is new.
func (p *person) add(ids ...Identifier) (grown bool) {
	for _, id := range ids {
		list, value := &p.Users, id.folded().Value
		switch id.Kind {
		case Anonymous:
			list = &p.Anonymous
		case Email:
			list = &p.Emails
		}
		if at, found := slices.BinarySearch(*list, value); !found && value != "" {
			*list, grown = slices.Insert(*list, at, value), true
		}
	}
	return grown
}

// identifiers lists them all.
func (p *person) identifiers() []Identifier {
	var ids []Identifier
	for _, l := range []struct {
		kind Kind
		list []string
	}{{User, p.Users}, {Anonymous, p.Anonymous}, {Email, p.Emails}} {
		for _, value := range l.list {
			ids = append(ids, Identifier{l.kind, value})
		}
	}
	return ids
}

// find looks up by what else somebody is known who has one of the identifiers.
// It goes from visitors and addresses to users and from users to the rest, never
// on from what it found so to other users: people share devices, and addresses.
// Only an alias call says that two users are one.
func find(ctx context.Context, db querier, relations []relation, seed []Identifier) (*person, error) {
	p := &person{}
	p.add(seed...)
	for _, id := range seed {
		if strings.Contains(id.Value, "@") {
			p.add(Identifier{Email, id.Value})
		}
	}
	users := []question{{User, "select user_id from verobridge.identities where anonymous_id = any($2)"}}
	aliases := []question{}
	rest := []question{{Anonymous, "select anonymous_id from verobridge.identities where user_id = any($1)"}}
	for _, r := range relations {
		switch r.Name {
		case "users":
			for _, column := range r.emails() {
				users = append(users, question{User, fmt.Sprintf("select id::text from %s where lower(%s::text) = any($3)", r.quoted(), column)})
				rest = append(rest, question{Email, fmt.Sprintf("select %s::text from %s where id::text = any($1)", column, r.quoted())})
			}
		case "identifies":
			for _, column := range r.emails() {
				users = append(users, question{User, fmt.Sprintf("select user_id::text from %s where lower(%s::text) = any($3)", r.quoted(), column)})
				users = append(users, question{Anonymous, fmt.Sprintf("select anonymous_id::text from %s where user_id is null and lower(%s::text) = any($3)", r.quoted(), column)})
				rest = append(rest, question{Email, fmt.Sprintf("select %s::text from %s where user_id::text = any($1)", column, r.quoted())})
			}
			rest = append(rest, question{Anonymous, fmt.Sprintf("select anonymous_id::text from %s where user_id::text = any($1)", r.quoted())})
		case "aliases":
			aliases = append(aliases,
				question{User, fmt.Sprintf("select previous_id::text from %s where user_id::text = any($1)", r.quoted())},
				question{Anonymous, fmt.Sprintf("select previous_id::text from %s where user_id::text = any($1)", r.quoted())})
		}
	}
	if _, err := p.ask(ctx, db, users); err != nil {
		return nil, err
	}
	for grown := true; grown; {
		var err error
		if grown, err = p.ask(ctx, db, aliases); err != nil {
			return nil, err
		}
	}
	_, err := p.ask(ctx, db, rest)
	return p, err
}

// question selects identifiers of a kind by users ($1), visitors ($2) and
// addresses ($3).
type question struct {
	kind Kind
	sql  string
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// ask adds the answers to questions that were all put as the person was before.
func (p *person) ask(ctx context.Context, db querier, questions []question) (grown bool, err error) {
	var found []Identifier
	for _, q := range questions {
		// One statement for all: each mentions only some of the arguments.
		sql := "with given as (select $1::text[], $2::text[], $3::text[]) select distinct * from (" + q.sql + ") q where q is not null"
		rows, err := db.Query(ctx, sql, orEmpty(p.Users), orEmpty(p.Anonymous), orEmpty(p.Emails))
		if err != nil {
			return false, wrap("look for a person", err)
		}
		values, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return false, wrap("look for a person", err)
		}
		for _, value := range values {
			found = append(found, Identifier{q.kind, value})
		}
	}
	return p.add(found...), nil
}

// orEmpty makes an array of Postgres out of no values.
func orEmpty(values []string) []string {
	if values == nil {
		return []string{}
	}
	return values
}
