package warehouse

import "strings"

// amountWords are the last words of columns that hold amounts of money, or
// rates: those of Segment's e-commerce spec first (segment-docs,
// spec/ecommerce/v2; the spec calls each a Number), then what people build
// such names with.
var amountWords = map[string]bool{
	"price": true, "value": true, "revenue": true, "total": true, "subtotal": true,
	"shipping": true, "tax": true, "discount": true,

	"amount": true, "cost": true, "fee": true, "balance": true, "tip": true, "refund": true,
	"rate": true, "ratio": true, "percent": true, "percentage": true,
}

// widened returns the type of a new column that is left to its values. A whole
// number makes an amount numeric: prices come as 18 before they come as 29.99,
// and bigint would keep every later one out.
func widened(column string, inferred columnType) columnType {
	last := column[strings.LastIndexByte(column, '_')+1:]
	if inferred == typeBigint && amountWords[last] {
		return typeNumeric
	}
	return inferred
}
