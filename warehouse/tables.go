package warehouse

import (
	"maps"
	"slices"
	"strings"
)

// table names a table: its schema and its own name.
type table struct{ schema, name string }

// discardsTable is the table, beside the data, of values that did not fit.
const discardsTable = "discards"

// fixedTables are the tables that no event may be named like.
var fixedTables = map[string]bool{
	"tracks": true, "identifies": true, "users": true, "pages": true, "screens": true,
	"groups": true, "accounts": true, "aliases": true, discardsTable: true, rudderDiscards: true,
}

// columns are the types of columns by name.
type columns map[string]columnType

// and returns the columns of both.
func (c columns) and(more columns) columns {
	both := maps.Clone(c)
	maps.Copy(both, more)
	return both
}

// texts are text columns.
func texts(names ...string) columns {
	c := make(columns, len(names))
	for _, name := range names {
		c[name] = typeText
	}
	return c
}

// The standard columns (segment-docs, connections/storage/warehouses/schema).
// No property or trait is put into them.
var (
	// stateColumns are those of every table; users and accounts have no others.
	stateColumns = columns{"id": typeID, "received_at": typeTimestamptz, "uuid_ts": typeTimestamptz}
	// callColumns are those of every table with one row for each call.
	callColumns = stateColumns.and(texts("anonymous_id", "user_id")).and(columns{
		"sent_at": typeTimestamptz, "timestamp": typeTimestamptz, "original_timestamp": typeTimestamptz,
	})
	trackColumns = callColumns.and(texts("event", "event_text"))
	groupColumns = callColumns.and(texts("group_id"))
	aliasColumns = callColumns.and(texts("previous_id"))
)

// The known columns exist from the start and have a fixed type, though their
// values are properties or context like others. Without them SQL and dbt
// packages that read them fail until the first value arrives.
var (
	clientColumns = texts("context_ip", "context_user_agent", "context_library_name", "context_library_version")
	// visitColumns are what dbt-labs/segment and other packages read of pages.
	visitColumns = clientColumns.and(texts(
		"context_campaign_source", "context_campaign_medium", "context_campaign_name",
		"context_campaign_term", "context_campaign_content",
		"context_page_path", "context_page_referrer", "context_page_search", "context_page_title", "context_page_url"))
	pageColumns = visitColumns.and(texts("name", "category", "path", "referrer", "search", "title", "url",
		"context_traits_email"))
	screenColumns = clientColumns.and(texts("name", "category"))
	personColumns = clientColumns.and(texts("email", "context_traits_email", "context_page_path"))

	// emailColumns are what Vero sends with each email event, by a public
	// schema that Segment's integration with Vero made, and by the fields of
	// Vero's webhooks.
	emailColumns = clientColumns.and(texts(
		"campaign_name", "email_id", "email_subject", "email_type", "email_permalink",
		"context_integration_name", "context_integration_version", "context_message_id", "context_traits_email",
		"variation", "trigger_event", "campaign_group", "channel", "locale", "sent_to", "campaign_tags",
	)).and(columns{"campaign_id": typeBigint})
	openColumns        = columns{"opened_at": typeBigint}
	clickColumns       = texts("link_id", "link_url").and(columns{"clicked_at": typeBigint})
	unsubscribeColumns = texts("list_id", "list_name")
	bounceColumns      = texts("bounce_type", "bounce_code", "bounce_message")
)

// sourceTables are the tables of a source of product events.
var sourceTables = map[string]columns{
	"tracks":      trackColumns,
	"identifies":  callColumns.and(personColumns),
	"users":       stateColumns.and(personColumns),
	"pages":       callColumns.and(pageColumns),
	"screens":     callColumns.and(screenColumns),
	"groups":      groupColumns,
	"accounts":    stateColumns,
	"aliases":     aliasColumns,
	discardsTable: discardColumns,
}

// veroTables are the tables of a source of type vero, by the collections of
// Segment's Vero source (segment-docs, sources/catalog/cloud-apps/vero).
var veroTables = map[string]columns{
	"tracks":               trackColumns,
	"email_sent":           trackColumns.and(emailColumns),
	"email_delivered":      trackColumns.and(emailColumns),
	"email_opened":         trackColumns.and(emailColumns).and(openColumns),
	"email_link_clicked":   trackColumns.and(emailColumns).and(clickColumns),
	"email_unsubscribed":   trackColumns.and(emailColumns).and(unsubscribeColumns),
	"email_bounced":        trackColumns.and(emailColumns).and(bounceColumns),
	"email_marked_as_spam": trackColumns.and(emailColumns),
	discardsTable:          discardColumns,
}

var discardColumns = texts("table_name", "row_id", "column_name", "column_value", "reason").
	and(columns{"received_at": typeTimestamptz})

// The fixed types are those of columns that are not left to their first value,
// whichever table they come up in: versions look like numbers until they do
// not.
var (
	contextTypes = visitColumns.and(texts(
		"context_app_build", "context_app_version", "context_device_id", "context_device_model", "context_group_id",
		"context_locale", "context_os_version", "context_timezone", "context_traits_email",
	)).and(columns{"context_screen_density": typeNumeric})
	emailTypes = contextTypes.and(emailColumns).and(openColumns).and(clickColumns).
			and(unsubscribeColumns).and(bounceColumns)
)

// typeOf returns the type of a new column: the one that is known for it, else
// that of its values, wider where its name says that others will come.
func (sh *shape) typeOf(s Source, t table, standard columns, column string, inferred columnType) columnType {
	fixed := contextTypes
	if s.Vero {
		fixed = emailTypes
	}
	for _, known := range []columns{standard, sh.tablesOf(s)[t.name], fixed} {
		if typ, ok := known[column]; ok {
			return typ
		}
	}
	return widened(column, inferred)
}

// reservedIn returns what says that a property or trait may not have a name:
// the standard columns, and all of context.
func reservedIn(standard columns) func(string) bool {
	return func(name string) bool {
		_, taken := standard[name]
		return taken || strings.HasPrefix(name, "context_")
	}
}

// sorted returns the names of columns in order.
func (c columns) sorted() []string { return slices.Sorted(maps.Keys(c)) }
