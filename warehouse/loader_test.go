package warehouse

import (
	"testing"

	"github.com/verobridge/verobridge/internal/delivery"
)

var _ delivery.Destination = (*Loader)(nil)

func TestDeliver(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(
		track(t, "m1", "Order Completed", `{"order_id":"o1","total":12.50,"items":[{"sku":"a"}]}`),
		identify(t, "m2", arrival, `{"email":"ann@example.com","plan":"pro"}`),
	)
	f.want("select id, event, event_text, user_id from app.tracks",
		`{"id":"m1","event":"order_completed","event_text":"Order Completed","user_id":"u1"}`)
	f.want("select id, order_id, total, items from app.order_completed",
		`{"id":"m1","order_id":"o1","total":12.50,"items":"[{\"sku\":\"a\"}]"}`)
	f.want("select id, user_id, email, plan from app.identifies",
		`{"id":"m2","user_id":"u1","email":"ann@example.com","plan":"pro"}`)
	f.want("select id, email, plan from app.users", `{"id":"u1","email":"ann@example.com","plan":"pro"}`)
}
