// Package console is where people look: the pages on the admin address that say
// whether everything flows, what comes in this moment, and what became of it.
//
//	browser ──▶ headers ─▶ cross-origin ─▶ session ─▶ page ──▶ template ──▶ HTML
//	                                          │        │ ▲
//	                                        login      ▼ │
//	                                           the interfaces in Options
//
// Pages are made on the server by html/template, which escapes whatever comes out
// of an event. Style sheet, script and pictures are embedded, are served under
// names that hold a hash of what they are, and nothing is asked of any other
// host: the content security policy allows no more. Without the script everything
// works but what changes by itself.
//
// A page is one Go file, which gets its data, and one template, which shows them;
// the table in pages.go lists them. It asks for what it shows through a small
// interface in Options, so that the console knows neither Postgres nor NATS.
//
// # Failure handling
//
//	Postgres is away       the pages that need it say so and what to do; the others work
//	a browser is slow      it is sent what there is room for, and then let go
//	the page has an error  it is logged, and the reader is told, on a whole page
//	a restart              everybody logs in again: sessions are kept in memory
package console
