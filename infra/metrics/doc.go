// Package metrics holds Ketter's figures for Prometheus, of two kinds:
//
//   - What the installation is like: jobs, queues, silent runs, workers. It is read from the database and Redis when somebody
//     asks, so that every API tells the same, and at most once a second, within seconds, however often they ask.
//   - What this process has done since it began: runs, bytes, leases, requests. It is counted as it happens.
//
// Labels are bounded, whatever operators and strangers send: words of ours, codes, routes as they are registered, and
// at most MostQueues names of queues. No job, path, portal or worker is one. The package asks nobody but who is handed to it, and
// never decides anything.
//
// docs/metrics.md lists every metric; a test compares the two.
package metrics
