// Package rig starts the real program with a real Postgres and a mock of Vero, to
// do something to it and see what comes of it: torture breaks it, bench measures
// it.
//
//	whoever tries it ──HTTP──▶ Bridge (the binary, a process) ──▶ Database (Postgres, a process)
//	                                                          └──▶ Door (a handler of yours)
//
// Everything is on loopback, in a directory of the caller's. What was started is
// ended by whoever started it.
//
// # Failure handling
//
// A bridge that does not start or stop in time is an error that names the file
// with its last words. Nothing is tried a second time: what does not work at once
// is what the callers want to know.
package rig
