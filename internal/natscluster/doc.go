// Package natscluster runs a NATS cluster on this machine, to be broken on purpose:
// it is what torture and tests put bridges on. Each node is a process of its own,
// so that it can be killed, and nodes reach one another only through proxies, so
// that they can be cut off.
//
//	bridges ──▶ node 0 ◀──proxy── node 1      Cut(2): the proxies from and to node 2
//	              ▲  └───proxy──▶  ▲          drop what they carry and refuse more;
//	            proxy            proxy        its clients stay with it
//	              └──── node 2 ────┘
//
// The program that starts a cluster is also what its nodes run: it hands its
// arguments to Serve when it is told to be a node.
package natscluster
