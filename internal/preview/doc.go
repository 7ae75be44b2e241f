// Package preview says what Vero would get of calls, without sending anything.
// The subcommand map and the console's page Mapping show what it says.
//
//	text ──calls.go──▶ calls ──mapper.go──▶ results
//	      JSON         judged as the        requests, or why there are none
//	                   door judges them
//
// It maps with the very code that delivers (outbound.Vero.Plan), so what is shown
// is what would be sent. Each call is taken by itself: what the running bridge
// knows about people, who an anonymous visitor is or who was erased, is not asked.
//
// # Failure handling
//
// A text that is no JSON is a SyntaxError, which names line and column. A call
// that the door would refuse is a result like others, with the reason.
package preview
