package people_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/people"
)

// A destination goes from one program to another and back. What each remembers from
// the time before is not true any more; what the tables say is.
func TestADestinationIsTakenOver(t *testing.T) {
	t.Parallel()
	url := prepared(t)
	one, other := open(t, url), open(t, url)
	one.want(one.fates(cart(t, 0, "a1"), cart(t, 0, "a2"))[0], delivery.StatusHeld, delivery.ReasonHeld)

	other.resolver.Start()
	other.recorder.Start()
	who := identify(t, 1, "u1", "a1")
	outcome := other.fates(who)[0]
	if diff := cmp.Diff([]string{"cart-a1-0 delivered"}, resolved(outcome.Resolved())); diff != "" {
		t.Errorf("released by the other (-want +got):\n%s", diff)
	}
	other.want(other.recorder.Deliver(t.Context(), []event.Event{who})[0], delivery.StatusDelivered, delivery.ReasonDelivered)

	// The reports of the other are written here.
	one.report(outcome.Resolved())
	one.resolver.Start()
	one.recorder.Start()
	one.fates(cart(t, 2, "a1"), identify(t, 3, "u2", "a2"))
	if diff := cmp.Diff([]string{"cart-a1-2"}, one.sent("u1")); diff != "" {
		t.Errorf("events of u1 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"cart-a2-0"}, one.sent("u2")); diff != "" {
		t.Errorf("events of u2 (-want +got):\n%s", diff)
	}

	// Nobody has told the other that the report is written. A call with the same id
	// is held like any other once its row is gone.
	if _, err := other.resolver.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := identify(t, 5, "u3", "a1")
	other.want(other.fates(cart(t, 0, "a3"))[0], delivery.StatusHeld, delivery.ReasonHeld)
	list := other.fates(identify(t, 6, "u3", "a3"), again)[0].Resolved()
	if diff := cmp.Diff([]string{"cart-a3-0 delivered"}, resolved(list)); diff != "" {
		t.Errorf("released later (-want +got):\n%s", diff)
	}
}

// Nothing is deleted before other programs have had the time to learn who was
// erased.
func TestOthersLearnWhoWasErased(t *testing.T) {
	t.Parallel()
	url := prepared(t)
	one := open(t, url)
	other, err := people.Open(people.Options{URL: url, Dir: t.TempDir(), Refresh: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { other.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	id := people.Identifier{Kind: people.User, Value: "u1"}
	knew := false
	_, err = one.Erase(t.Context(), people.EraserOptions{
		Others: 2 * time.Second,
		Kept: func(ctx context.Context, _ func(event.Event) bool) (int, error) {
			knew = other.Suppressions().Has(id)
			return 0, nil
		},
	}, []people.Identifier{id})
	if err != nil {
		t.Fatal(err)
	}
	if !knew {
		t.Error("something was deleted before the other program knew")
	}
}
