// Package survival holds tests only: real `ketter worker` and `ketter serve` processes, a real PostgreSQL and a real
// redis-server, to which the tests do what happens to machines. Processes are killed, frozen and told to stop; the
// database is stopped, its connections are cut or swallow what they are sent; Redis comes and goes. What is guarded:
//
//	kill_test.go      a killed worker's job is taken over within seconds and goes on from what is proven
//	freeze_test.go    a worker that wakes after its lease has expired touches nothing any more
//	outage_test.go    jobs outlive their database's absence, and no two runs of one act at once
//	redis_test.go     Redis is never missed
//	shutdown_test.go  SIGTERM gives jobs back without spending an attempt; a second one ends the process at once
//	cancel_test.go    a cancel takes a second and leaves nothing, until the point of no return
//	torture_test.go   all of it at random, and then every file is where its job's status says, once
//	restore_test.go   a backup that was taken while jobs ran is restored, and no number is given twice
//	bloat_test.go     renewing leases doesn't bloat the database
//
// Every process of a test writes its log into one file, in which the test notes what it does to them, so that the file's
// order tells who did what before whom. Triggers in the test's database log who held a job when. audit_test.go proves from
// both that two runs of a job never acted at once, unless the first was frozen.
//
// `go test ./infra/survival` is the short form. It needs redis-server and PostgreSQL's binaries, and makes its databases on
// the server that KETTER_TEST_DB_URL names, else on one that it starts. `task torture-jobs`, or KETTER_SURVIVAL=long, is the
// long form. KETTER_SURVIVAL_SEED=N makes the random choices of an earlier run again, which it had printed; the moments at
// which they strike are the machine's.
package survival
