// Package riverjobs runs jobs on River. It is the only package that imports River and River UI. It submits (the job's row,
// its first event and its River job in one transaction), works (claim, plan, transfer) and finishes (row, last event and
// River's completion in one transaction). It never touches a file: that is package engine's affair.
//
// A River job is a wake-up call: its args hold the job's id and nothing else, and jobs is the truth. Each run of a job has
// a fresh token, and everything the run writes is fenced by it (see package db).
//
//	POST /jobs ─► Submit: one transaction {jobs row, "created", River job}
//	                              │ River wakes a worker
//	              claim: one transaction {pending → running, token, lease, "started"}
//	                              │
//	              engine: plan, transfer; each event fenced; the point of no return before the publish
//	                              │
//	        ┌─────────────────────┼──────────────────────────────┐
//	   success                 permanent failure          transient failure, or shutdown
//	   {success, "finished",   {failed, "error"}          {pending, "retry_scheduled"}
//	   River's completion}     then river.JobCancel       then River tries again
package riverjobs
