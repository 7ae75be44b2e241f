package spool

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The lane gives what a plain reading of its rule gives: in order, each entry
// that is due and behind no entry of its people that is not given.
func TestLaneKeepsItsRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, now := newLane(), time.Unix(1000, 0)
		var all []*entry // those in the lane, oldest first
		seq := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				seq++
				g := &group{seq: seq}
				for i := range rapid.IntRange(1, 4).Draw(t, "events") {
					people := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 3, rapid.ID).Draw(t, "people")
					e := &entry{key: fmt.Sprint(seq, i), people: people, origin: origin{seq, i}, group: g, index: i, due: due(t, now)}
					g.entries = append(g.entries, e)
					all = append(all, e)
				}
				l.add(g)
			},
			"settle some that are ready": func(t *rapid.T) {
				for _, e := range l.ready(now, rapid.IntRange(1, 5).Draw(t, "limit")) {
					if rapid.Bool().Draw(t, "fails") {
						l.delay(e, waiter{due: due(t, now), attempts: 1})
						return // what is behind it is not tried
					}
					l.remove(e)
					for i := range all {
						if all[i] == e {
							all = append(all[:i:i], all[i+1:]...)
							break
						}
					}
				}
			},
			"": func(t *rapid.T) {
				var want []string
				waiting := make(map[string]bool)
				var next time.Time
				for _, e := range all {
					behind := anyOf(waiting, e.people)
					if !behind && !e.due.After(now) {
						want = append(want, e.key)
						continue
					}
					if !behind && (next.IsZero() || e.due.Before(next)) {
						next = e.due
					}
					for _, id := range e.people {
						waiting[id] = true
					}
				}
				var got []string
				for _, e := range l.ready(now, 1<<20) {
					got = append(got, e.key)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("ready (-want +got):\n%s", diff)
				}
				if at, any := l.nextDue(); len(want) == 0 && any != !next.IsZero() || len(want) == 0 && any && !at.Equal(next) {
					t.Fatalf("next due at %v (%t), want %v", at, any, next)
				}
			},
		})
	})
}

func due(t *rapid.T, now time.Time) time.Time {
	return now.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "due")) * time.Second)
}

// BenchmarkLane looks for what is ready in a lane where much waits: the price
// of a step, which must not grow with the lane.
func BenchmarkLane(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, now := newLane(), time.Now()
			for i := range n {
				g := &group{seq: uint64(i)}
				g.entries = []*entry{{key: fmt.Sprint(i), people: []string{fmt.Sprint(i % (n / 2))}, group: g, due: now.Add(time.Hour)}}
				l.add(g)
			}
			b.ReportAllocs()
			for b.Loop() {
				l.nextDue()
				l.ready(now, 1000)
			}
		})
	}
}
