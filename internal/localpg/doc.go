// Package localpg runs a private Postgres from the binaries that are installed
// on the machine, for "verobridge dev" and for tests. It needs no settings and
// no rights, and it leaves a Postgres that is already running alone.
//
//	Dir/lock          held while a Server lives: one owner for each directory
//	Dir/port          the port of last time, so that a psql line stays the same
//	Dir/postgres.log  what the server says
//	Dir/data          the cluster, made by initdb the first time
//
// The server listens on 127.0.0.1 only and trusts whoever can reach it, as a
// throw-away server on a developer's machine may. There is no Unix socket:
// socket paths are limited to 107 bytes, which a temporary directory exceeds
// easily.
//
// # Root
//
// Postgres refuses to run as root. Then the directory and the processes belong
// to the user postgres, or nobody where there is none. If that user cannot
// reach the directory, because it lies below /root for example, a directory
// below /var/tmp takes its place and the log says so.
//
// # Failure handling
//
// The server is stopped by Stop. If the program dies instead, Linux tells the
// server to shut down; elsewhere it stays behind. Start finds what stayed
// behind by postmaster.pid: a server that still runs on the directory is
// stopped first (the lock proves that nobody uses it), and a file whose process
// is gone, or is another program by now, is removed.
package localpg
