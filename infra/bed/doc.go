// Package bed is what the benchmark over SSH and the soak stand on: a real sshd of its own, and Ketter's processes with the
// API to ask them. All is on the loopback, and ends with the program. It measures and judges nothing.
//
//	sshd.go      an OpenSSH server with a key, a port and accounts of its own
//	keys.go      its keys, and those of its clients
//	process.go   a process and all that it started
//	ketter.go    `ketter serve` and `ketter worker`
//	api.go       portals and jobs, over HTTP
package bed
