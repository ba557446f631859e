// Package httpapi is Ketter's HTTP interface: jobs are submitted and read here, and a load balancer asks here whether the
// service is ready. docs/api.md is its contract with operators.
//
// It validates what comes in and shapes what goes out. It never touches a file, never writes to the database but through
// Submitter, Operator and Portals, and never lets the text of an internal error out: an answer carries a code and a sentence that says what to
// do, the log carries the whole chain under the same request id. A portal's credential comes in, is encrypted, and never goes
// out again, not even in an error that refuses it.
//
// Who asks is looked at before anything else: by what name and from which page, which keeps web pages of other sites out, and with
// whose token, where there are any. The token's name goes with the job and its events; what it may do is all or nothing.
//
// Every error becomes an answer in one place, api.fail. Handlers return errors:
//
//	request ─► identify ─► log ─► protect ─► catchPanic ─► guard ─► handler ──error──► fail ─► problem+json
//
// Live events are the one answer that lasts. A stream listens to the Hub first and then reads the job, so that nothing falls
// between history and what comes after; what it sends is always read from the database, by seq, after a wake or a while:
//
//	Redis ─► broker ─► Hub.Wake ─┐
//	                       timer ┴► stream: look (events after the last one sent) ─► sse ─► listener
package httpapi
