package warehouse

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verobridge/verobridge/internal/delivery"
	"github.com/verobridge/verobridge/internal/event"
	"github.com/verobridge/verobridge/internal/pgtest"
)

// checklist says for each thing that SQL made for Segment's warehouses relies
// on, and for each way in which such warehouses are known to break, which tests
// show it.
var checklist = []struct {
	what  string
	tests []string
}{
	{"names are Segment's, and the name of a name is itself", []string{"TestSlugs", "TestRudderNames", "TestNamesAreValidAndStable", "TestNamesAreUnique"}},
	{"two event names that mean one table share it", []string{"TestTwoNamesOfOneTable"}},
	{"keys that mean one column have a winner, the others are kept", []string{"TestFlattenIsDeterministic", "TestFlattenLosesNothing", "TestRows", "TestDeliverEachCall"}},
	{"a property named like a standard column", []string{"TestColumnNames", "TestRows"}},
	{"events named like fixed tables, without ASCII, with a digit in front, reserved, long or empty", []string{"TestEventTables", "TestFixedTablesAreComplete"}},
	{"columns appear with their first value, the known ones are there before", []string{"TestColumnsAppearWithTheirFirstValue", "TestPrepareMakesTheKnownTables"}},
	{"calls as other warehouses show them, in both shapes", []string{"TestRows", "TestRudderStackMode"}},
	{"users hold the latest state", []string{"TestUsersHoldTheLatestState", "TestAnonymousIdentifyMakesNoUser", "TestUserWhoseIDIsTooLongIsDiscarded"}},
	{"types of values, and what does not fit", []string{"TestTypesOfValues", "TestConflictMatrix", "TestNewColumnTakesTheCommonType", "TestWholePriceFirst"}},
	{"schemas of others are adopted", []string{"TestAdoptsTablesOfOthers", "TestAdoptsEmailTables", "TestFullTable", "TestTablesChangedByHand", "TestViewsOverAdoptedTables"}},
	{"a reader that holds a table delays new columns of that table only", []string{"TestLockedTableDelaysOnlyItsOwnEvents", "TestPauseOutlivesTheCatalog"}},
	{"killed before and after the commit", []string{"TestKilledBeforeTheCommit", "TestRepeatedEventsChangeNothing"}},
	{"the same event twice, in two batches, in one, and in parallel", []string{"TestRepeatedEventsChangeNothing", "TestSameIDTwiceInABatchIsOneRow", "TestBatchOfSeveralChunks", "TestSameEventsInParallel"}},
	{"values that break loaders", []string{"TestOddValues", "TestAnyEventGetsIn", "TestMoreValuesThanARowHolds", "TestCleanJSON"}},
	{"columns that dbt packages read, on empty and filled tables", []string{"TestColumnsThatPackagesRead"}},
	{"the funnel and attribution that analysts write", []string{"TestEmailFunnel", "TestExamplesForAnalysts"}},
	{"a late event is seen by incremental models", []string{"TestLateEvent", "TestLoadTimeGrowsWithCommits", "TestLoadTimeGrowsAcrossLoaders", "TestLoadTimeNeverGoesBack"}},
	{"readers may read tables of before and after", []string{"TestReadersReadTablesOfLater"}},
}

// TestChecklist holds the checklist to the tests that there are.
func TestChecklist(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
			there[match[1]] = true
		}
	}
	for _, item := range checklist {
		for _, name := range item.tests {
			if !there[name] {
				t.Errorf("%s: there is no %s", item.what, name)
			}
		}
	}
}

func TestTwoNamesOfOneTable(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "Order Completed", "{}"), track(t, "m2", "orderCompleted", "{}"))
	f.want("select id, event, event_text from app.order_completed order by id",
		`{"id":"m1","event":"order_completed","event_text":"Order Completed"}`,
		`{"id":"m2","event":"order_completed","event_text":"orderCompleted"}`)
}

// TestAdoptsEmailTables begins on the email table of somebody whose ids are
// texts, and numbers elsewhere.
func TestAdoptsEmailTables(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.exec(`
		create schema vero;
		create table vero.email_sent (id varchar(1024) primary key, user_id bigint, campaign_id text, email_id bigint);
		insert into vero.email_sent values ('old', 1, 'c-7', 3)`)
	f.deliver(eventOf(t, "vero", arrival, `{"type":"track","messageId":"new","userId":"2","event":"Email Sent","properties":{"campaign_id":8,"email_id":"m@x"}}`))
	f.want("select id, user_id, campaign_id, email_id from vero.email_sent order by id",
		`{"id":"new","user_id":2,"campaign_id":"8"}`, `{"id":"old","user_id":1,"campaign_id":"c-7","email_id":3}`)
	f.want("select column_name, column_value from vero.discards", `{"column_name":"email_id","column_value":"m@x"}`)
}

// TestKilledBeforeTheCommit ends the loader's session when it has copied the
// rows and waits to write what did not fit.
func TestKilledBeforeTheCommit(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	f.deliver(track(t, "m1", "X", `{"n":1}`))
	release := f.holding("lock table app.discards in exclusive mode")
	batch := []event.Event{track(t, "m2", "X", `{"n":"one"}`), identify(t, "m3", arrival, `{"plan":"pro"}`)}
	done := make(chan []delivery.Outcome)
	go func() { done <- f.Deliver(t.Context(), batch) }()
	const kill = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'copy%discards%'"
	for len(f.rows(kill)) == 0 {
		select {
		case got := <-done:
			t.Fatalf("the load did not wait: %v", outcomes(got))
		default:
		}
	}
	if diff := cmp.Diff([]outcome{unavailable(delivery.ReasonUnreachable), unavailable(delivery.ReasonUnreachable)}, outcomes(<-done)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	f.want("select id from app.tracks", `{"id":"m1"}`)
	f.want("select id from app.users")
	release()
	f.deliver(batch...)
	f.want("select id from app.tracks order by id", `{"id":"m1"}`, `{"id":"m2"}`)
	f.want("select id, plan from app.users", `{"id":"u1","plan":"pro"}`)
	f.want("select row_id, column_value from app.discards", `{"row_id":"m2","column_value":"one"}`)
}

func TestSameEventsInParallel(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	f := open(t, Options{URL: url})
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	var batch []event.Event
	for i := range 200 {
		batch = append(batch, track(t, fmt.Sprint("m", i), "X", `{"n":"a"}`), identifyAs(t, fmt.Sprint("i", i), fmt.Sprint("u", i%10), arrival, `{"plan":"pro"}`))
	}
	f.deliver(track(t, "first", "X", `{"n":1}`))
	var wg sync.WaitGroup
	for range 4 {
		other := open(t, Options{URL: url})
		wg.Go(func() {
			for _, o := range other.Deliver(t.Context(), batch) {
				if o.Status() != delivery.StatusDelivered {
					t.Errorf("%s: %s", o.Status(), o.Detail())
				}
			}
		})
	}
	wg.Wait()
	f.want(`select (select count(*)::int from app.x) as x, (select count(*)::int from app.identifies) as identifies,
		(select count(*)::int from app.users) as users, (select count(*)::int from app.discards) as discards`,
		`{"x":201,"identifies":200,"users":10,"discards":200}`)
}

func TestOddValues(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	long := strings.Repeat("é", 1<<19) // one megabyte
	f.deliver(track(t, "m1", "X", `{"nul":"a\u0000b","half":"\ud800","long":"`+long+`","nan":"NaN",
		"most":9223372036854775807,"least":-9223372036854775808,"year":"294277-01-01T00:00:00Z","copy":"\\N\t\\.\n\r"}`))
	f.want("select nul, half, length(long) as long, nan, most, least, year, copy from app.x",
		fmt.Sprintf(`{"nul":"ab","half":"�","long":%d,"nan":"NaN","most":9223372036854775807,
			"least":-9223372036854775808,"year":"294277-01-01T00:00:00Z","copy":"\\N\t\\.\n\r"}`, 1<<19))
	f.want("select * from app.discards")
}

// TestColumnsThatPackagesRead selects what dbt packages for Segment select
// (dbt-labs/segment, dataform-segment, dbt_segment_metrics and RudderStack's).
// TestColumnsThatPackagesRead selects what public packages select, each from the
// tables it reads, but for columns that no warehouse has unless an app sends them.
func TestColumnsThatPackagesRead(t *testing.T) {
	t.Parallel()
	f := open(t, Options{})
	queries := []string{
		// dbt-labs/segment and its successor fleetio/dbt-segment; HousewareHQ/dbt_segment_metrics
		`select id, anonymous_id, user_id, received_at, sent_at, "timestamp", url, path, title, search, referrer,
			context_campaign_source, context_campaign_medium, context_campaign_name, context_campaign_term,
			context_campaign_content, context_ip, context_user_agent from app.pages`,
		`select event, "timestamp", anonymous_id, user_id from app.tracks`,
		// dataform-co/dataform-segment
		`select "timestamp", user_id, anonymous_id, id, url, referrer, title, name, search, path,
			context_campaign_source, context_campaign_medium, context_campaign_name, context_campaign_term, context_campaign_content from app.pages`,
		`select "timestamp", user_id, anonymous_id, id, event from app.tracks`,
		`select "timestamp", user_id, anonymous_id, id, name from app.screens`,
		`select anonymous_id, user_id, "timestamp", email from app.identifies`,
		// rudderlabs/dbt-sessionization, dbt-id-resolution, dbt-events-registry, dbt-attribution-template
		`select id, anonymous_id, user_id, "timestamp", event, received_at from app.tracks`,
		`select anonymous_id, user_id, sent_at from app.identifies`,
		`select anonymous_id, context_traits_email, user_id, "timestamp", context_page_path, context_library_name from app.identifies`,
		`select anonymous_id, context_traits_email, user_id, "timestamp", context_page_path, context_library_name from app.pages`,
		// narratorai/dbt-segment-activity-schema, which asks for id as message_id
		`select "timestamp", id as message_id, anonymous_id, user_id, url, path, referrer, context_ip, context_page_title from app.pages`,
		`select id, received_at, uuid_ts, email from app.users`,
	}
	for _, table := range emailSteps {
		// models over the email tables that Segment fills for Braze and Vero
		queries = append(queries, `select id, uuid_ts, received_at, sent_at, original_timestamp, "timestamp", user_id, anonymous_id, event, event_text,
			campaign_id, campaign_name, email_id, email_subject, email_type, email_permalink, context_message_id, context_traits_email,
			context_integration_name, context_integration_version, context_ip, context_user_agent from vero.`+table.Table)
	}
	if err := f.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, sql := range queries {
		f.want(sql) // empty
	}
	f.deliver(calls(t)...)
	f.deliver(sampleData(t)...)
	for _, sql := range queries {
		f.rows(sql)
	}
}

// TestLateEvent: an event of long ago that arrives now has an old timestamp,
// and a received_at and uuid_ts of now.
func TestLateEvent(t *testing.T) {
	t.Parallel()
	f := open(t, Options{Now: func() time.Time { return arrival }})
	f.deliver(track(t, "m1", "X", "{}"))
	f.deliver(eventOf(t, "app", arrival, `{"type":"track","messageId":"late","userId":"u1","event":"X","timestamp":"2020-01-01T00:00:00Z"}`))
	f.want(`select id, "timestamp" from app.x where uuid_ts > (select max(uuid_ts) from app.x where id = 'm1') and received_at > '2026-01-01'`,
		`{"id":"late","timestamp":"2020-01-01T00:00:00+00:00"}`)
}
