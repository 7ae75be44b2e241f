// Package doctor looks at what a bridge stands on before it fails: a folder that
// must keep what it is given, clocks, certificates, addresses that must lead to
// the bridge.
//
//	Check ─┐
//	Check ─┼─ Run, beside one another, with one deadline ─▶ []Finding, in order
//	Check ─┘
//
// A finding is a sentence on how something is and, unless all is well, one on how
// to mend it: whoever reads it at three in the morning should not have to look
// anything up. Levels say what is at stake. An Error keeps the bridge from its
// work. A Warning is what works, but can lose something or be slow.
//
// # Failure handling
//
// A check that hangs, as on a network file system whose server is gone, holds up
// neither the others nor the answer: after the deadline it is reported as one that
// gave none. Nothing that was there is changed. To measure the disk a file is made
// and removed.
package doctor
