// Package ingest is the front door: the Segment Tracking API, Vero's webhooks,
// and what a Segment SDK fetches before it sends. It turns HTTP requests into
// events and hands them to the spool.
//
//	request ─▶ CORS ─▶ path ─▶ body ─▶ write key ─▶ each call by itself ─▶ Append ─▶ 200
//	           cors.go  path.go body.go keyring.go   event.New or Reject   once
//	                            lenient.go
//
// An application changes one host name and nothing else, so the door is as
// lenient as Segment's own and the SDKs in the field need it: any content type,
// gzip, bare NaN, lone surrogates, doubled and trailing slashes, the write key in
// any of four places.
//
// # What an answer means
//
// 200 {"success":true} and nothing else is success: some SDKs send a batch again
// after a 202 or an empty body. It is given after Append returned nil, which
// means that the events are on disk. There is never a redirect, since clients
// follow one with a GET and count that as success: so mount the handler as it is,
// not inside an http.ServeMux, which cleans paths by redirecting.
//
// # Failure handling
//
//	the spool cannot keep the events     503, Retry-After: 1; every SDK sends again
//	the request cannot be read           400; sending it again would not help
//	its write key belongs to nobody      401
//	its page is of an origin that is     403
//	not the source's
//	its write key sent too much          429, Retry-After of at most 10 s
//	too much is being read already       503, Retry-After: 1; first to those whose
//	                                     large bodies do not come to an end
//	one event of it is not acceptable    200; the others are accepted, this one is
//	                                     kept with its reason (event.Reject)
//	the client hangs up                  what was read whole is kept all the same
//
// Which requests were refused as a whole is remembered in a sample of bounded size
// (refusals.go), so that somebody who misses an event can be told why.
//
// One bad event must not sink its batch: SDKs drop a whole batch on a 4xx.
//
// # Bounds
//
// A body is bounded while it is inflated, its nesting before any recursive parser
// sees it, a batch in events, an event in fields (event.New). The events of a batch
// are bounded by a multiple of the largest body, because each gets a copy of the
// envelope's context. All bodies together, and the events made of them, are bounded
// by the bytes that they take (memory.go), and nothing that a client announces
// decides how much memory it gets; when memory gets short, large bodies that are
// slow to arrive give way to the others. The server that the handler is mounted
// in has to bound the time that a client may take, and the size of its headers.
//
// # Who may send
//
// A write key opens one source. A browser's key is public, so its origins must be
// listed (origin.go). That keeps other web sites out, and nobody else: what such a
// source may cause is for the destinations to say.
package ingest
