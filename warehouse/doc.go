// Package warehouse writes events into Postgres, in the shape of Segment's
// warehouses, so that SQL, dbt packages and BI tools made for those work on it.
//
//	event ──rows.go──▶ rows ──ddl.go──▶ tables that fit ──insert.go──▶ committed
//	        pure       flatten, names,  only adds, each   one transaction:
//	                   types, tables    table by itself   rows, users, discards
//
// What a key of an event becomes is worked out once (keys.go). Rows are cast to
// their tables and written in COPY's binary format (tuples.go, codec.go). While
// Postgres works on one part of a batch the next is mapped (ahead.go), each into
// the memory of the one before the last (memory.go).
//
// Each source has a schema; a call has the tables that Segment's documentation
// gives it (connections/storage/warehouses/schema):
//
//	track     tracks, and a table of the event's own with its properties
//	identify  identifies, and users: the latest state of each user
//	group     groups, and accounts: the latest state of each group
//	page, screen, alias   pages, screens, aliases
//
// The tables and columns that are known beforehand are made at the start, so
// that SQL works before the first value arrives. Others are made at their first
// value that is not null.
//
// # Nothing is lost, nothing is guessed
//
// Numbers stay the text that the event's JSON has until they are written digit by
// digit, and pass through no float. A new column has the narrowest type that holds the values of its first
// batch, but numeric if its name is that of an amount (amounts.go), for prices
// are whole numbers at first. The type of a column is never changed, for that rewrites the table and
// breaks views: a value that the column cannot hold exactly becomes null and is
// kept in the schema's discards table with its place and reason. Tables that
// are there already are adopted with the types they have (codec_adopted.go). A repair (repair.go),
// which somebody asks for, gives a column another type and puts in what fits then.
//
// Names and tables are those of a shape (shape.go): Segment's, or RudderStack's
// for SQL that was written for that.
//
// Beyond 300 columns a table gets one more, _overflow, for the values of all
// further keys.
//
// # Once
//
// The key of a row is the event's ID, so an event that is delivered again
// changes nothing, in discards and users neither: the key refuses its row, and
// the load looks which ids the tables have and copies the others (known.go).
// Loads of a schema take turns (turn.go), so nobody inserts between the look and
// the copy, and uuid_ts grows in the order of commits. An event's rows are
// committed together. Outcomes are given after the commit.
//
// # Older data
//
// An import (import.go) makes rows of files of calls, or of the tables of another
// schema, and loads them as those of events. It counts what is there afterwards.
//
// # Failure handling
//
// failure.go judges an error by its SQLSTATE:
//
//	the database is down, full, read-only or refuses us   all events wait
//	a table is not what the catalog says                  read it again, once more
//	a table is locked                                     its events wait, others go on
//	a row is refused                                      found by halving, and dead
//
// Locks are waited for briefly. A new column needs a lock that waits for every
// reader of its table, while others queue behind it; when a report holds the
// table for long, events without new columns still get in.
package warehouse
