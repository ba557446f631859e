// Package embedded runs the private PostgreSQL and Redis of `ketter up`, so that one command on one machine is enough.
//
// PostgreSQL is the machine's own binaries on a data directory of ours; Redis is miniredis, in this process. Both listen on
// 127.0.0.1 only, each behind a random password.
//
// What a state directory holds:
//
//	lock                 held (flock) by the one process that owns the directory; its pid is inside
//	services.json        0600, while it is held: where API, PostgreSQL and Redis answer, for other commands of the same user
//	postgres.password    0600, made with the first database
//	postgres.log         what the server and initdb say
//	postgres-15          the data directory of PostgreSQL 15, or a link to where it had to go (see place.go)
//
// A server outlives a killed owner. The next owner adopts it when it answers with our password, else ends it:
//
//	              StartPostgres
//	postmaster.pid names a live server on our data?
//	     no ──► start        yes ──► answers? ── yes ──► adopt
//	                                    └── no ──► end it, start
//
// It never deletes or alters a data directory it did not just make, never signals a process that isn't a postgres on our
// data directory, never listens beyond the loopback, and never lets a password into a log, an error or a process argument.
package embedded
