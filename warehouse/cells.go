package warehouse

import (
	"slices"
	"strings"
)

// cell is a value and the column that it is for.
type cell struct {
	column string
	value  value
}

// cells are the values of a row, in the order of their columns, each column
// once.
type cells []cell

// sortCells puts cells in order. Their columns must differ.
func sortCells(c cells) cells {
	slices.SortFunc(c, func(a, b cell) int { return strings.Compare(a.column, b.column) })
	return c
}

// find returns where a column is, or where it would be.
func (c cells) find(column string) (int, bool) {
	return slices.BinarySearchFunc(c, column, func(have cell, column string) int { return strings.Compare(have.column, column) })
}

// get returns the value of a column.
func (c cells) get(column string) (value, bool) {
	i, ok := c.find(column)
	if !ok {
		return value{}, false
	}
	return c[i].value, true
}

// set puts a value into a column, in place of the one that is there.
func (c *cells) set(column string, v value) {
	i, ok := c.find(column)
	if ok {
		(*c)[i].value = v
		return
	}
	*c = slices.Insert(*c, i, cell{column, v})
}

// text puts a string into a column, nothing for an empty one.
func (c *cells) text(column, s string) {
	if s != "" {
		c.set(column, value{text, cleanText(s)})
	}
}

// joined returns the cells of both, those of b where both have a column.
func joined(a, b cells) cells {
	both := make(cells, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch order := strings.Compare(a[0].column, b[0].column); {
		case order < 0:
			both, a = append(both, a[0]), a[1:]
		case order > 0:
			both, b = append(both, b[0]), b[1:]
		default:
			both, a, b = append(both, b[0]), a[1:], b[1:]
		}
	}
	return append(append(both, a...), b...)
}
