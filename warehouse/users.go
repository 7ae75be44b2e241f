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
//     latest call that the row knows; an older one fills what is still empty, as
//     does a state that is imported and does not say when it was received;
//   - what a call does not say, or says with null, keeps its value. What the
//     latest call says and the column cannot hold makes it null, with a discard:
//     nobody takes an outdated value for the latest, and a repair puts it in.

// state is what calls say of one person or group.
type state struct {
	row      *row
	inputs   inputs
	overflow overflow
	// misfits are the columns that cannot hold what was said last.
	misfits map[string]bool
}

// writeStates brings a table of states up to date with the calls that are new.
func (in *insertion) writeStates(ctx context.Context, p *part) error {
	var states []*state
	into := newTuples(p.rel, nil)
	for _, it := range p.calls {
		alone := len(it.record.rows) == 0
		if !alone && !it.record.rows[0].fresh {
			continue
		}
		s := &state{row: it.record.state}
		in.written[p.table.schema]++
		before := len(in.discards)
		s.overflow = in.fit(s.row, into)
		s.inputs, s.misfits = into.take(), misfitsOf(in.discards[before:])
		if alone && len(in.discards) > before {
			var err error
			if in.discards, err = in.withoutKept(ctx, s.row, in.discards); err != nil {
				return err
			}
		}
		if _, ok := s.inputs["id"]; ok {
			states = append(states, s)
		}
	}
	if len(states) == 0 {
		return nil
	}
	known, err := latestCalls(ctx, in.tx, p, states)
	if err != nil {
		return err
	}
	// Calls on both sides of the latest one known must not be merged with one
	// another. Those before it are rare: an event that had to wait.
	var unknown, older, newer []*state
	for _, s := range states {
		latest, exists := known[s.row.id]
		switch {
		case !exists:
			unknown = append(unknown, s)
		case s.row.receivedAt.IsZero() || s.row.receivedAt.Before(latest):
			older = append(older, s)
		default:
			newer = append(newer, s)
		}
	}
	for _, s := range merge(unknown) {
		s.row.fresh = true
		into.add(s.inputs)
	}
	if err := into.copyTo(ctx, in.tx, p.table, func() {}); err != nil {
		return err
	}
	if len(older)+len(newer) > 0 {
		if err := into.compare(ctx, in.tx, p.table); err != nil {
			return err
		}
	}
	if err := in.leaveEmpty(ctx, p, older); err != nil {
		return err
	}
	older, newer = merge(older), merge(newer)
	if err := updateStates(ctx, in.tx, p, older, fillEmpty); err != nil {
		return err
	}
	if err := updateStates(ctx, in.tx, p, newer, overwrite); err != nil {
		return err
	}
	return in.emptyMisfits(ctx, p, newer)
}

// latestCalls returns when the latest call was received that each row knows,
// the zero time if it does not say. It locks the rows.
func latestCalls(ctx context.Context, tx pgx.Tx, p *part, states []*state) (map[string]time.Time, error) {
	rows := make([]*row, len(states))
	for i, s := range states {
		rows[i] = s.row
	}
	slices.SortFunc(rows, func(a, b *row) int { return strings.Compare(a.id, b.id) })
	rows = slices.CompactFunc(rows, func(a, b *row) bool { return a.id == b.id })
	found, err := tx.Query(ctx, "select k.position::int - 1, r.received_at "+matchSQL(p.table, p.rel, "for update"), keys(rows, p.rel))
	if err != nil {
		return nil, err
	}
	known := make(map[string]time.Time)
	var position int
	var receivedAt *time.Time
	_, err = pgx.ForEachRow(found, []any{&position, &receivedAt}, func() error {
		id := rows[position].id
		known[id] = time.Time{}
		if receivedAt != nil {
			known[id] = *receivedAt
		}
		return nil
	})
	return known, err
}

// merge makes one state for each id: of each column the value that was received
// last.
func merge(states []*state) []*state {
	ordered := slices.Clone(states)
	slices.SortStableFunc(ordered, func(a, b *state) int { return a.row.receivedAt.Compare(b.row.receivedAt) })
	byID := make(map[string]*state)
	for _, s := range ordered {
		merged := byID[s.row.id]
		if merged == nil {
			byID[s.row.id] = s
			continue
		}
		merged.say(s)
		if merged.overflow == nil {
			merged.overflow = s.overflow
		} else if s.overflow != nil {
			maps.Copy(merged.overflow, s.overflow)
			merged.inputs[overflowColumn] = input{text: merged.overflow.json().text}
		}
	}
	return slices.SortedFunc(maps.Values(byID), func(a, b *state) int { return strings.Compare(a.row.id, b.row.id) })
}

// say takes over what a later call says of columns.
func (s *state) say(later *state) {
	for column := range later.inputs {
		delete(s.misfits, column)
	}
	for column := range later.misfits {
		delete(s.inputs, column)
	}
	maps.Copy(s.inputs, later.inputs)
	maps.Copy(s.misfits, later.misfits)
}

// The rules above, for the value u.x of a row and a new one s.x, and for the JSON
// objects that hold what has no column.
var (
	fillEmpty = rule{value: "coalesce(u.%[1]s, s.%[1]s)", object: "coalesce(s.%[1]s || u.%[1]s, u.%[1]s, s.%[1]s)"}
	overwrite = rule{value: "coalesce(s.%[1]s, u.%[1]s)", object: "coalesce(u.%[1]s || s.%[1]s, s.%[1]s, u.%[1]s)"}
)

type rule struct{ value, object string }

// updateStates updates rows that exist.
func updateStates(ctx context.Context, tx pgx.Tx, p *part, states []*state, by rule) error {
	if len(states) == 0 {
		return nil
	}
	literals := make(map[string][]*string)
	for i, s := range states {
		for column, in := range s.inputs {
			if literals[column] == nil {
				literals[column] = make([]*string, len(states))
			}
			literal := in.literal()
			literals[column][i] = &literal
		}
	}
	filled := slices.Sorted(maps.Keys(literals))
	arrays := make([]any, len(filled))
	for i, column := range filled {
		arrays[i] = literals[column]
	}
	_, err := tx.Exec(ctx, updateSQL(p.table, p.rel, filled, by), arrays...)
	return err
}

// updateSQL updates t by one array for each filled column.
func updateSQL(t table, rel *relation, filled []string, by rule) string {
	arrays := make([]string, len(filled))
	for i, column := range filled {
		arrays[i] = fmt.Sprintf("$%d::text[]::%s[]", i+1, rel.columns[column])
	}
	return fmt.Sprintf("update %s u set %s from unnest(%s) as s (%s) where u.id = s.id",
		t.quoted(), by.assignments(filled), strings.Join(arrays, ", "), list(filled))
}

// assignments sets the columns of a row u by the new values s.
func (by rule) assignments(filled []string) string {
	var set []string
	for _, column := range filled {
		value := by.value
		switch column {
		case "id":
			continue
		case "received_at":
			value = "greatest(u.%[1]s, s.%[1]s)"
		case "uuid_ts":
			value = "s.%[1]s"
		case overflowColumn:
			value = by.object
		}
		set = append(set, fmt.Sprintf("%[1]s = "+value, quoteName(column)))
	}
	return strings.Join(set, ", ")
}
