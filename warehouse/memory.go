package warehouse

// memory is what mapped events are made of. It serves one chunk of events after
// the other, so that thousands of them leave nothing to collect.
type memory struct {
	cells slab[cell]
	rows  slab[row]
	items slab[item]
}

// reset takes all of it back. Nobody may use what was mapped into it any more.
func (m *memory) reset() {
	m.cells.reset()
	m.rows.reset()
	m.items.reset()
}

// slab is memory for values of a type.
type slab[T any] struct {
	all  []T
	used int
}

// take returns room for n values. What was taken before stays where it is.
func (s *slab[T]) take(n int) []T {
	if s.used+n > len(s.all) {
		s.all, s.used = make([]T, 2*len(s.all)+n), 0
	}
	s.used += n
	return s.all[s.used-n : s.used : s.used]
}

func (s *slab[T]) reset() {
	clear(s.all[:s.used])
	s.used = 0
}
