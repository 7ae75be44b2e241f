package delivery

import "github.com/verobridge/verobridge/internal/event"

// Chains groups a batch into chains of events that share a person, directly or
// through one another. Each chain lists indexes into batch, oldest first, and
// must be delivered in that order; different chains may go in parallel. Events
// without a person are chains of their own.
func Chains(batch []event.Event) [][]int {
	parent := make([]int, len(batch))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	first := make(map[string]int)
	for i, e := range batch {
		for _, person := range e.People() {
			j, seen := first[person]
			if !seen {
				first[person] = i
				continue
			}
			// The smaller root wins, so that chains come out in batch order.
			a, b := root(i), root(j)
			parent[max(a, b)] = min(a, b)
		}
	}
	position := make(map[int]int)
	var chains [][]int
	for i := range batch {
		r := root(i)
		p, seen := position[r]
		if !seen {
			p = len(chains)
			position[r] = p
			chains = append(chains, nil)
		}
		chains[p] = append(chains[p], i)
	}
	return chains
}
