package outbound

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// What the calls of options lead to at Vero, also when the batch is delivered
// again: each product of an order is an event once.
func TestVeroEffectsOfOptions(t *testing.T) {
	t.Parallel()
	mock, v := setup(t, func(o *VeroOptions) {
		o.Mapping = Mapping{OrderedProducts: true, DeleteEvent: "User Deleted", Group: groupUsersEdit}
		o.Events = map[string]EventRule{"Newsletter Left": {Name: "Unsubscribe"}}
	})
	batch := []event.Event{
		accept(t, `{"type":"identify","messageId":"m1","userId":"1","traits":{"email":"jane@example.com"}}`),
		accept(t, `{"type":"track","messageId":"m2","userId":"1","event":"Order Completed","properties":{"products":[{"sku":"a"},{"sku":"a"}]}}`),
		accept(t, `{"type":"group","messageId":"m3","userId":"1","groupId":"g","traits":{"name":"Acme"}}`),
		accept(t, `{"type":"track","messageId":"m4","userId":"1","event":"Newsletter Left"}`),
		accept(t, `{"type":"identify","messageId":"m5","userId":"2"}`),
		accept(t, `{"type":"track","messageId":"m6","userId":"2","event":"User Deleted"}`),
	}
	for range 2 {
		for i, o := range v.Deliver(t.Context(), batch) {
			if o.Status() != delivery.StatusDelivered {
				t.Fatalf("event %d: %s", i, o.Detail())
			}
		}
	}
	effects := mock.Effects()
	jane := effects.Users["1"]
	var names []string
	for _, e := range jane.Events {
		names = append(names, e.Name)
	}
	if diff := cmp.Diff([]string{"Ordered Product", "Ordered Product", "Completed order"}, names); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := string(jane.Data["group"]); got != `{"name":"Acme"}` || jane.Subscribed {
		t.Errorf("group %s, subscribed %v", got, jane.Subscribed)
	}
	if _, there := effects.Users["2"]; there || len(effects.Deleted) == 0 {
		t.Errorf("the deleted person is there: %v, deleted %v", there, effects.Deleted)
	}
}
