// Package agent is the endpoint of a far host's own file systems, served there by `ketter agent` through package local. What
// local can do, an agent can: locks, renames that never replace, inode numbers, attributes, holes. Everything is done where
// the files are; only what the caller asks for crosses the wire.
//
//	worker                                                  far host
//	Pool ── Storage ─┬─ process ── stdin, stdout over SSH ── Serve ── local
//	                 ├─ process  (data is spread over several: one channel carries 2 MiB in a round trip)
//	                 └─ …
//
// # The wire
//
// The client sends one line of text, which the sh script of Command reads, or the agent skips where a forced command started it:
//
//	KETTER-AGENT <path of the agent to try first, every byte but A-Za-z0-9/._- as \0ooo>\n
//
// The agent begins with a line of its own, and both go on with frames at once, without waiting for each other:
//
//	KETTER-AGENT <protocol> <version of ketter> <GOOS> <GOARCH>\n
//
// A frame is a header of 16 bytes, big-endian (length of the control fields, length of the data, number of the request, 32 bits
// each; what is asked or answered, 8 bits; 24 bits of zero), the control fields (coding.go) and the data, as they are.
// Lengths are limited; a peer that breaks a rule is hung up on.
//
// Requests name folders by path: the real path that Locate found, and the names below it. They mean what is called that NOW,
// and the agent opens it name by name, following no symbolic link. Only open files and locks have numbers, which the client
// chooses, so that it may write to a file without having waited for it to be opened. Requests run concurrently, those of one
// number in their order.
//
// # What never happens
//
// No shell parses a path. An agent never writes a word to its output but the protocol, reads no configuration, and never
// outlives its client by more than Options.Idle. A request that may have been carried out and must not be twice is never sent
// again after a connection was lost; a Writer never takes for written what was not acknowledged.
package agent
