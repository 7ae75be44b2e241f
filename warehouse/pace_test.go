package warehouse

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
)

// before makes a trigger on app.x that does something before each insert.
func (f *fixture) before(body string) {
	f.t.Helper()
	f.exec("create function app.before() returns trigger language plpgsql as $$ begin " + body + " return new; end $$")
	f.exec("create trigger before before insert on app.x for each row execute function app.before()")
}

func (f *fixture) tracks(n int) (batch []event.Event) {
	f.t.Helper()
	for i := range n {
		batch = append(batch, track(f.t, fmt.Sprintf("%04d", i), "X", "{}"))
	}
	return batch
}

// TestStatementTimeout: what takes too long at once gets in by parts.
func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "first", "X", "{}"))
	f.before("perform pg_sleep(0.02);")
	f.exec("alter database " + databaseOf(t, f.url) + " set statement_timeout = '1s'")
	f.pool.Reset() // settings of a database count from the next connection on
	f.deliver(f.tracks(100)...)
	f.want("select count(*)::int as n from app.x", `{"n":101}`)
	if f.pace.width >= 100 {
		t.Errorf("the next transaction would be of %d events, which is too large", f.pace.width)
	}
}

// TestLoadTimeout: an event that takes too long alone waits alone.
func TestLoadTimeout(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "first", "X", "{}"))
	f.before("if new.id = '0002' then perform pg_sleep(600); end if;")
	f.loadTimeout = time.Second
	waiting := outcome{Status: delivery.StatusWaiting, Reason: delivery.ReasonUnreachable}
	got := f.Deliver(t.Context(), f.tracks(4))
	if diff := cmp.Diff([]outcome{delivered, delivered, waiting, delivered}, outcomes(got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if !got[2].Tried() {
		t.Error("the slow event was tried, and so its waits must grow")
	}
	f.exec("drop trigger before on app.x")
	f.deliver(f.tracks(4)...)
	f.want("select count(*)::int as n from app.x", `{"n":5}`)
}

// TestBudget: when the time of a delivery is over, the rest waits for its turn,
// and each delivery gets on.
func TestBudget(t *testing.T) {
	t.Parallel()
	f := open(t, Options{Budget: time.Nanosecond})
	batch := f.tracks(2*firstChunk + 1)
	for _, want := range []int{firstChunk, firstChunk, 1} {
		var left []event.Event
		for i, o := range f.Deliver(t.Context(), batch) {
			if o.Reason() == delivery.ReasonBehind && !o.Tried() {
				left = append(left, batch[i])
			} else if !o.Final() {
				t.Fatal(o.Detail())
			}
		}
		if got := len(batch) - len(left); got != want {
			t.Errorf("%d events were loaded, want %d", got, want)
		}
		batch = left
	}
	f.want("select count(*)::int as n from app.x", fmt.Sprintf(`{"n":%d}`, 2*firstChunk+1))
}

// TestRaisedByATrigger: a row that somebody's trigger refuses is dead, and does
// not stop the warehouse.
func TestRaisedByATrigger(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "first", "X", "{}"))
	f.before("if new.id = '0001' then raise exception 'not this one'; end if;")
	refused := outcome{Status: delivery.StatusDead, Reason: delivery.ReasonRowRefused}
	if diff := cmp.Diff([]outcome{delivered, refused, delivered}, outcomes(f.Deliver(t.Context(), f.tracks(3)))); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	p := pace{width: largestChunk}
	for n := largestChunk; n > 1; n = p.width {
		if p.lose(n); p.width != n/2 {
			t.Fatalf("%d events after %d that took too long, want half", p.width, n)
		}
	}
	if p.lose(1); p.width != 1 {
		t.Errorf("%d events, want 1", p.width)
	}
	p.width = 10
	if p.gain(9); p.width != 10 {
		t.Errorf("%d events after fewer than may be, want no more", p.width)
	}
	for range 100 {
		p.gain(p.width)
	}
	if p.width != largestChunk {
		t.Errorf("%d events after 100 good loads, want %d again", p.width, largestChunk)
	}
}
