// Package live shows what comes in this moment, and what becomes of it, to whoever
// looks on: the console, and verobridge tail.
//
//	spool ◀─looks, five times a second─ Feed ──mailbox──▶ watcher
//	                                    └─────mailbox──▶ watcher
//
// Nothing is pushed and nothing waits for a watcher. One loop asks what is new,
// only while somebody watches, and reads no more of it than can be shown. Each
// watcher has a mailbox of bounded size, from which he takes when he can.
//
// # Failure handling
//
//	more comes in than can be shown   it is left out, and counted
//	a watcher is slow                 what he does not take in time is left out, and counted
//	what is new cannot be read        every watcher is told, and may begin again
//	the feed closes                   every watcher's Watch returns
package live
