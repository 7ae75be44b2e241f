package warehouse

// cell is a value and the column that it is for.
type cell struct {
	column string
	value  value
}

// cells are values of a row, each column once.
type cells []cell

// get returns the value of a column.
func (c cells) get(column string) (value, bool) {
	for _, cell := range c {
		if cell.column == column {
			return cell.value, true
		}
	}
	return value{}, false
}

// set puts a value into a column, in place of the one that is there.
func (c *cells) set(column string, v value) {
	for i := range *c {
		if (*c)[i].column == column {
			(*c)[i].value = v
			return
		}
	}
	*c = append(*c, cell{column, v})
}

// text adds a string as a column's value, nothing for an empty one.
func (c *cells) text(column, s string) {
	if s != "" {
		*c = append(*c, cell{column, value{kind: text, text: cleanText(s)}})
	}
}
