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

// writeStates brings a table of states up to date. inputs are those of new
// calls, in the order of the batch.
func writeStates(ctx context.Context, tx pgx.Tx, t table, rel *relation, inputs []*input) error {
	known, err := latestCalls(ctx, tx, t, rel, once(inputs))
	if err != nil {
		return err
	}
	// Calls on both sides of the latest one known must not be merged with one
	// another. Those before it are rare: an event that had to wait.
	var unknown, older, newer []*input
	for _, in := range inputs {
		latest, exists := known[in.row.id]
		switch {
		case !exists:
			unknown = append(unknown, in)
		case in.item.event.ReceivedAt.Before(latest):
			older = append(older, in)
		default:
			newer = append(newer, in)
		}
	}
	if err := copyIn(ctx, tx, t, merge(rel, unknown)); err != nil {
		return err
	}
	for _, calls := range [][]*input{older, newer} {
		if err := updateStates(ctx, tx, t, rel, merge(rel, calls)); err != nil {
			return err
		}
	}
	return nil
}

// latestCalls returns when the latest call was received that each row knows,
// the zero time if it does not say. It locks the rows.
func latestCalls(ctx context.Context, tx pgx.Tx, t table, rel *relation, inputs []*input) (map[string]time.Time, error) {
	sql := "select k.position::int - 1, r.received_at " + matchSQL(t, rel, "for update")
	rows, err := tx.Query(ctx, sql, keys(inputs))
	if err != nil {
		return nil, err
	}
	known := make(map[string]time.Time)
	var position int
	var receivedAt *time.Time
	_, err = pgx.ForEachRow(rows, []any{&position, &receivedAt}, func() error {
		id := inputs[position].row.id
		known[id] = time.Time{}
		if receivedAt != nil {
			known[id] = *receivedAt
		}
		return nil
	})
	return known, err
}

// merge makes one input for each id: of each column the value that was received
// last.
func merge(rel *relation, calls []*input) []*input {
	ordered := slices.Clone(calls)
	slices.SortStableFunc(ordered, func(a, b *input) int {
		return a.item.event.ReceivedAt.Compare(b.item.event.ReceivedAt)
	})
	byID := make(map[string]*input)
	for _, in := range ordered {
		merged := byID[in.row.id]
		if merged == nil {
			byID[in.row.id] = &input{row: in.row, item: in.item, values: slices.Clone(in.values), overflow: in.overflow}
			continue
		}
		for _, v := range in.values {
			merged.set(v.column, v.text)
		}
		merged.overflow = joined(merged.overflow, in.overflow)
		merged.setOverflow(rel)
	}
	return slices.SortedFunc(maps.Values(byID), func(a, b *input) int { return strings.Compare(a.row.id, b.row.id) })
}

// updateStates updates rows that exist.
func updateStates(ctx context.Context, tx pgx.Tx, t table, rel *relation, inputs []*input) error {
	if len(inputs) == 0 {
		return nil
	}
	filled := columnsOf(inputs)
	arrays := make([]any, len(filled))
	for i, column := range filled {
		array := make([]*string, len(inputs))
		for j, in := range inputs {
			if text, ok := in.get(column); ok {
				array[j] = &text
			}
		}
		arrays[i] = array
	}
	_, err := tx.Exec(ctx, updateSQL(t, rel, filled), arrays...)
	return err
}

// updateSQL updates t by one array for each filled column.
func updateSQL(t table, rel *relation, filled []string) string {
	arrays := make([]string, len(filled))
	for i, column := range filled {
		arrays[i] = fmt.Sprintf("$%d::text[]::%s[]", i+1, rel.columns[column])
	}
	return fmt.Sprintf("update %s u set %s from unnest(%s) as s (%s) where u.id = s.id",
		t.quoted(), assignments(filled), strings.Join(arrays, ", "), list(filled, ""))
}

// assignments writes the rules above for the columns of a row u and the new
// values s.
func assignments(filled []string) string {
	var set []string
	for _, column := range filled {
		name := quoteName(column)
		switch column {
		case "id":
		case "received_at":
			set = append(set, fmt.Sprintf("%[1]s = greatest(u.%[1]s, s.%[1]s)", name))
		case "uuid_ts":
			set = append(set, fmt.Sprintf("%[1]s = s.%[1]s", name))
		case overflowColumn:
			set = append(set, fmt.Sprintf("%[1]s = case when s.%[1]s is null then u.%[1]s when u.%[1]s is null then s.%[1]s "+
				"when (s.received_at >= u.received_at) is not false then u.%[1]s || s.%[1]s else s.%[1]s || u.%[1]s end", name))
		default:
			set = append(set, fmt.Sprintf("%[1]s = case when (s.received_at >= u.received_at) is not false "+
				"then coalesce(s.%[1]s, u.%[1]s) else coalesce(u.%[1]s, s.%[1]s) end", name))
		}
	}
	return strings.Join(set, ", ")
}
