package warehouse

import "testing"

func TestAmountsAreNumeric(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		column    string
		from, typ columnType
	}{
		{"price", typeBigint, typeNumeric},
		{"unit_price", typeBigint, typeNumeric},
		{"order_total", typeBigint, typeNumeric},
		{"conversion_rate", typeBigint, typeNumeric},
		{"price", typeText, typeText},       // "on request": no number, so no amount
		{"value", typeBoolean, typeBoolean}, // of a switch
		{"total_items", typeBigint, typeBigint},
		{"quantity", typeBigint, typeBigint},
		{"price_id", typeBigint, typeBigint},
		{"corporate", typeBigint, typeBigint},
	} {
		if got := widened(c.column, c.from); got != c.typ {
			t.Errorf("%s with values of type %s: %s, want %s", c.column, c.from, got, c.typ)
		}
	}
}

// TestWholePriceFirst: the first price of a shop is a whole number, and the
// later ones keep their cents.
func TestWholePriceFirst(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "Order Completed", `{"total":18,"quantity":1}`))
	f.deliver(track(t, "m2", "Order Completed", `{"total":29.99,"quantity":2,"tax":0}`))
	f.deliver(track(t, "m3", "Order Completed", `{"total":"7.50","tax":1.425}`), identify(t, "m4", arrival, `{"balance":0}`))
	f.deliver(identify(t, "m5", arrival, `{"balance":-0.01}`))
	f.want("select total, quantity, tax from app.order_completed order by id",
		`{"total":18,"quantity":1}`, `{"total":29.99,"quantity":2,"tax":0}`, `{"total":7.50,"tax":1.425}`)
	f.want("select balance from app.users", `{"balance":-0.01}`)
	f.want("select * from app.discards")
}
