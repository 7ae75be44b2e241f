package warehouse

import (
	"maps"
	"regexp"
	"strings"

	"github.com/tidwall/gjson"
)

// rudderDiscards is what RudderStack calls its table of discards.
const rudderDiscards = "rudder_discards"

// rudderStack is the shape of RudderStack's warehouses on Postgres, as it makes
// them for new destinations (rudder-transformer, src/warehouse; rudder-server,
// warehouse). A row is still one for each id, and a value that RudderStack drops
// is in its discards here.
var rudderStack = &shape{
	mode:          ModeRudderStack,
	key:           rudderKey,
	column:        func(slug string) string { return besideSystem(rudderName(slug)) },
	event:         rudderEvent,
	fromOther:     rudderName,
	dropsReserved: true,
	skips:         rudderBlank,
	more:          rudderMore,
	discards:      rudderDiscards,
	call:          callColumns.and(rudderColumns),
	track:         trackColumns.and(rudderColumns),
	group:         groupColumns.and(rudderColumns),
	alias:         aliasColumns.and(rudderColumns),
	user:          rudderUserColumns,
	app:           rudderTables(sourceTables),
	vero:          rudderTables(veroTables),
}

var (
	// rudderColumns are standard there and not with Segment.
	rudderColumns = texts("channel", "context_request_ip", "context_passed_ip")
	// rudderUserColumns have the times of a person's last call.
	rudderUserColumns = stateColumns.and(columns{
		"sent_at": typeTimestamptz, "timestamp": typeTimestamptz, "original_timestamp": typeTimestamptz,
	})
)

// rudderMore adds what RudderStack keeps of the channel and the address of a call.
// The address that the request came from is not told apart from it.
func rudderMore(c *call) {
	c.common.text("channel", c.channel.String())
	if _, taken := c.common.get("context_passed_ip"); !taken {
		c.common.text("context_passed_ip", c.context.Get("ip").String())
	}
}

// rudderTables returns tables as RudderStack has them.
func rudderTables(tables map[string]columns) map[string]columns {
	theirs := make(map[string]columns, len(tables))
	for name, has := range tables {
		switch name {
		case discardsTable:
			theirs[rudderDiscards] = has.and(columns{"uuid_ts": typeTimestamptz})
		case "users":
			theirs[name] = has.and(rudderUserColumns)
		case "accounts":
		default:
			theirs[name] = has.and(rudderColumns)
		}
	}
	return theirs
}

// rudderWord finds the words of a name of ASCII letters and digits: digits stay
// with the letters before them, else with those behind.
var rudderWord = regexp.MustCompile(`[A-Z]?[a-z]+[0-9]+|[A-Z]+[0-9]+|[0-9]+[A-Z]?[a-z]+|[0-9]+[A-Z]+|[A-Z]?[a-z]+|[A-Z]+|[0-9]+`)

// rudderWords returns a name in snake case. Of capitals before a small letter the
// last begins the next word: HTTPRequest is http_request.
func rudderWords(name string) string {
	var words []string
	for len(name) > 0 {
		at := rudderWord.FindStringIndex(name)
		if at == nil {
			break
		}
		from, to := at[0], at[1]
		if to < len(name) && 'a' <= name[to] && name[to] <= 'z' && isUpper(name[from:to]) {
			to--
		}
		words = append(words, strings.ToLower(name[from:to]))
		name = name[to:]
	}
	return strings.Join(words, "_")
}

// isUpper says whether a word has capitals only, more than one.
func isUpper(word string) bool {
	return len(word) > 1 && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// rudderKey returns the slug of a key. The underscores that a name begins with are
// kept.
func rudderKey(name string, first bool) string {
	words := rudderWords(name)
	if !first {
		return words
	}
	return name[:len(name)-len(strings.TrimLeft(name, "_"))] + words
}

// rudderName makes a slug a name: one that begins with a digit or is reserved gets
// an underscore in front, a longer one is cut.
func rudderName(slug string) string {
	if slug == "" {
		return ""
	}
	name := withUnderscore(slug)
	name = name[:min(len(name), maxNameBytes)]
	if rudderReserved[name] {
		name = "_" + name
	}
	return name
}

// withUnderscore puts an underscore before a digit.
func withUnderscore(slug string) string {
	if slug != "" && slug[0] >= '0' && slug[0] <= '9' {
		return "_" + slug
	}
	return slug
}

// rudderEvent returns the slug of an event, and its table. Events that have no
// name in ASCII have no table.
func rudderEvent(event string) eventName {
	slug := withUnderscore(rudderKey(strings.TrimSpace(event), true))
	table := rudderName(slug)
	if fixedTables[table] {
		table = "_" + table
	}
	return eventName{slug, table}
}

// rudderBlank says whether RudderStack leaves a value out: an empty string, an
// empty array, and one that holds nothing but such a value.
func rudderBlank(v value) bool {
	switch v.kind {
	case text:
		return v.text == ""
	case document:
		return isBlank(gjson.Parse(v.text))
	default:
		return false
	}
}

func isBlank(v gjson.Result) bool {
	switch {
	case v.IsArray():
		items := v.Array()
		return len(items) == 0 || len(items) == 1 && isBlank(items[0])
	default:
		return v.Type == gjson.Null || v.Type == gjson.String && v.Str == ""
	}
}

// rudderReserved are the words before which RudderStack puts an underscore in the
// names of tables and columns on Postgres (rudder-transformer,
// src/warehouse/config/ReservedKeywords.json).
var rudderReserved = maps.Collect(func(yield func(string, bool) bool) {
	for word := range strings.FieldsSeq(`all analyse analyze and any array as asc asymmetric authorization between
		binary both case cast check collate column constraint create cross current_date current_role current_time
		current_timestamp current_user default deferrable desc distinct do else end except false for foreign freeze
		from full grant group having ilike in initially inner intersect into is isnull join leading left like limit
		localtime localtimestamp natural new not notnull null off offset old on only or order outer overlaps placing
		primary references right select session_user similar some symmetric table then to trailing true union unique
		user using verbose when where`) {
		if !yield(word, true) {
			return
		}
	}
})

// withoutRudderPrefix returns Segment's name for a reserved word.
func withoutRudderPrefix(name string) string {
	if word := strings.TrimPrefix(name, "_"); word != name && rudderReserved[word] {
		return word
	}
	return name
}
