package warehouse

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/pgtest"
)

// TestLoadTimeGrowsAcrossLoaders: a loader whose clock is behind, after a
// restart on another machine for example, still writes a later uuid_ts.
func TestLoadTimeGrowsAcrossLoaders(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	for i, behind := range []time.Duration{0, time.Hour, time.Minute} {
		f := open(t, Options{URL: url, Now: func() time.Time { return arrival.Add(-behind) }})
		f.deliver(track(t, fmt.Sprint("m", i), "X", "{}"), eventOf(t, "vero", arrival, fmt.Sprintf(
			`{"type":"track","event":"Email Sent","userId":"u","messageId":"v%d"}`, i)))
	}
	f := open(t, Options{URL: url})
	const inOrder = `select string_agg(id, ' ' order by uuid_ts, id) as ids from `
	f.want(inOrder+"app.tracks", `{"ids":"m0 m1 m2"}`)
	f.want(inOrder+"vero.email_sent", `{"ids":"v0 v1 v2"}`)
}

// TestLoadTimeGrowsWithCommits: an incremental model that reads on from the
// latest uuid_ts it knows, while several loaders write, misses no row.
func TestLoadTimeGrowsWithCommits(t *testing.T) {
	t.Parallel()
	const loaders, batches, size = 3, 20, 5
	url := pgtest.Database(t)
	reader := open(t, Options{URL: url})
	reader.deliver(track(t, "first", "X", "{}"))
	var wg sync.WaitGroup
	for n := range loaders {
		f := open(t, Options{URL: url})
		wg.Go(func() {
			for i := range batches {
				var batch []event.Event
				for j := range size {
					batch = append(batch, track(t, fmt.Sprintf("m-%d-%d-%d", n, i, j), "X", "{}"))
				}
				for _, o := range f.Deliver(t.Context(), batch) {
					if o.Status() != delivery.StatusDelivered {
						t.Errorf("%s: %s", o.Status(), o.Detail())
					}
				}
			}
		})
	}
	reader.exec("create table model as select id, uuid_ts from app.x")
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	for last := false; !last; {
		select {
		case <-done:
			last = true
		default:
		}
		reader.exec("insert into model select id, uuid_ts from app.x where uuid_ts > (select max(uuid_ts) from model)")
	}
	reader.want("select count(*)::int as n from model", fmt.Sprintf(`{"n":%d}`, 1+loaders*batches*size))
}

// TestOwnTablesDroppedByHand: what is gone is made again, and no event is lost.
func TestOwnTablesDroppedByHand(t *testing.T) {
	t.Parallel()
	for _, drop := range []string{
		"drop table verobridge.deliveries cascade", "drop table verobridge.loads", "drop table verobridge.rejected_events",
		"drop schema verobridge cascade",
	} {
		t.Run(drop, func(t *testing.T) {
			t.Parallel()
			f := open(t, Options{})
			f.deliver(calls(t)...)
			f.exec(drop)
			batch := append(calls(t), track(t, "new", "X", "{}"))
			report := []delivery.Report{{Source: "app", MessageID: "m1", Destination: "vero", Type: event.Track, ReceivedAt: arrival}}
			// The first attempt may find out; the second succeeds.
			if err := f.WriteReports(t.Context(), report); err != nil {
				t.Log(err)
			}
			f.Deliver(t.Context(), batch)
			if err := f.WriteReports(t.Context(), report); err != nil {
				t.Fatal(err)
			}
			f.deliver(batch...)
			f.want("select id from app.x", `{"id":"new"}`)
			f.want("select message_id from verobridge.deliveries", `{"message_id":"m1"}`)
			f.want("select count(*) > 0 as some from verobridge.rejected_events", `{"some":true}`)
			f.want(`select column_name from information_schema.columns where table_schema = 'verobridge'
				and table_name = 'rejected_events' and is_nullable = 'NO' and column_name = 'body'`, `{"column_name":"body"}`)
		})
	}
}
