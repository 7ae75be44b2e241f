// Package connlimit keeps a crowd of slow clients from shutting others out.
//
// A server that takes any number of connections spends its memory and its file
// descriptors on whoever opens most of them. One that takes so many and no more
// serves the attackers who came first. Here the newest is always let in, and when
// there are too many, those go that are least likely to be missed:
//
//	accept ─▶ Track ─▶ too many? ─▶ of the addresses that hold most,
//	                                those in which nothing has happened for longest
//
// Something happens in a connection when a request begins, when its answer has been
// sent, and with each 4 KiB that arrive (where Listen is used): a client that is served needs milliseconds for that. One that sends a
// byte now and then, or keeps a connection in case it is needed, gets old.
//
// Going by address protects the many from the one that opens thousands. Behind a
// proxy all come from one address, and age alone decides; the proxy is then the
// place to tell clients apart. An IPv6 client has a /64 to itself and counts as
// that.
//
// A client whose connection is closed sends again, as after any other broken
// connection; SDKs do. Nothing needs to be configured about it but the limit.
package connlimit
