package warehouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// users and accounts hold the latest state of each person and group. Three
// rules make them the same whatever comes twice or late:
//
//   - only a call that is new, so one whose row in identifies or groups was just
//     inserted, changes anything;
//   - a call overwrites a value only if it was received no earlier than the
//     latest call that the row knows; an older one fills what is still empty;
//   - what a call does not say, or says with null, keeps its value.

// upsertStates brings a table of states up to date. inputs are those of new
// calls, in the order of the batch.
func upsertStates(ctx context.Context, tx pgx.Tx, t table, inputs []*input, keyed bool, number int) error {
	known, err := latestCalls(ctx, tx, t, inputs)
	if err != nil {
		return err
	}
	// Calls on both sides of the latest one known must not be merged with one
	// another. Those before it are rare: an event that had to wait.
	var older, newer []*input
	for _, in := range inputs {
		if in.item.event.ReceivedAt.Before(known[in.row.id]) {
			older = append(older, in)
		} else {
			newer = append(newer, in)
		}
	}
	for i, calls := range [][]*input{older, newer} {
		if len(calls) == 0 {
			continue
		}
		staging, filled, err := stage(ctx, tx, t, merge(calls), number+i)
		if err != nil {
			return err
		}
		for _, sql := range upsertSQL(t, staging, filled, keyed) {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	return nil
}

// latestCalls returns when the latest call was received that each row knows,
// and locks the rows in the order of their ids.
func latestCalls(ctx context.Context, tx pgx.Tx, t table, inputs []*input) (map[string]time.Time, error) {
	ids := make([]string, len(inputs))
	for i, in := range inputs {
		ids[i] = in.row.id
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(
		"select id::text, received_at from %s where id::text = any($1) and received_at is not null order by id for update",
		t.quoted()), ids)
	if err != nil {
		return nil, err
	}
	known := make(map[string]time.Time)
	var id string
	var receivedAt time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &receivedAt}, func() error {
		known[id] = receivedAt
		return nil
	})
	return known, err
}

// merge makes one input for each id: of each column the value that was received
// last.
func merge(calls []*input) []*input {
	ordered := slices.Clone(calls)
	slices.SortStableFunc(ordered, func(a, b *input) int {
		return a.item.event.ReceivedAt.Compare(b.item.event.ReceivedAt)
	})
	byID := make(map[string]*input)
	for _, in := range ordered {
		merged := byID[in.row.id]
		if merged == nil {
			byID[in.row.id] = &input{row: in.row, item: in.item, values: maps.Clone(in.values)}
			continue
		}
		maps.Copy(merged.values, in.values)
	}
	return slices.SortedFunc(maps.Values(byID), func(a, b *input) int { return strings.Compare(a.row.id, b.row.id) })
}

// upsertSQL moves staged states into t. A table that somebody else made without
// a key on id gets the same result by two statements.
func upsertSQL(t table, staging string, filled []string, keyed bool) []string {
	insert := fmt.Sprintf("insert into %s as u (%s) select %s from %s s",
		t.quoted(), list(filled, ""), list(filled, "s."), staging)
	if keyed {
		return []string{insert + " on conflict (id) do update set " + assignments(filled, "excluded")}
	}
	return []string{
		fmt.Sprintf("update %s u set %s from %s s where u.id = s.id", t.quoted(), assignments(filled, "s"), staging),
		insert + fmt.Sprintf(" where not exists (select from %s t where t.id = s.id)", t.quoted()),
	}
}

// assignments writes the rules above for the columns of a row u and the new
// values.
func assignments(filled []string, values string) string {
	var set []string
	for _, column := range filled {
		name := quoteName(column)
		switch column {
		case "id":
		case "received_at":
			set = append(set, fmt.Sprintf("%[1]s = greatest(u.%[1]s, %[2]s.%[1]s)", name, values))
		case "uuid_ts":
			set = append(set, fmt.Sprintf("%[1]s = %[2]s.%[1]s", name, values))
		default:
			set = append(set, fmt.Sprintf("%[1]s = case when (%[2]s.received_at >= u.received_at) is not false "+
				"then coalesce(%[2]s.%[1]s, u.%[1]s) else coalesce(u.%[1]s, %[2]s.%[1]s) end", name, values))
		}
	}
	return strings.Join(set, ", ")
}
