// Package soak holds one test only: jobs between LAB and SRVTRF for as long as one likes, over a real sshd, with real
// `ketter serve` and `ketter worker` processes, while the link is cut or swallows what it is sent, sshd dies and comes back, and the
// worker is killed. Each outcome is proven as soon as the job has ended; at the end memory, threads, open files and SSH
// sessions must be what they were.
//
//	soak_test.go     the order of things: a wild part, a look, a long part, a look
//	setup_test.go    the hosts and what runs on them
//	jobs_test.go     what is asked for, at random
//	outcome_test.go  what must have come of it
//	fault_test.go    what happens meanwhile, at random
//	level_test.go    what the processes hold
//	tree_test.go     trees, and what they are after a transfer
//
// The worker is killed in the wild part alone: what leaks shows in a process that goes on, so the long part must not end it. Between
// the parts, and at the end, all jobs are let end and the processes are looked at when they have nothing to do.
//
// `go test ./infra/soak` is the short form, half a minute of load. It needs sshd, and makes its database on the server that
// KETTER_TEST_DB_URL names. `task soak`, or KETTER_SOAK=30m, is the long form. KETTER_SOAK_SEED=N makes the random choices of an earlier
// run again, which it had printed; the moments at which they strike are the machine's.
package soak
