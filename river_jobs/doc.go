// Package riverjobs runs jobs on River. It is the only package that imports River and River UI. It submits (the job's row,
// its first event and its River job in one transaction), works (claim, plan, transfer) and finishes (row, last event and
// River's completion in one transaction); it cancels, retries, and looks after jobs whose worker is gone. It never touches a
// file: that is package engine's affair.
//
// # Authority
//
// A River job is a wake-up call: its args hold the job's id and nothing else, and jobs is the truth. Who has a row in
// job_runs has the job, for as long as the lease in it lasts by the database's clock. Each run has a fresh token, and
// everything it writes is fenced by it (see package db): a run that was taken over can't record anything.
//
//	POST /jobs ─► Submit: one transaction {jobs row, "created", River job}
//	                              │ River wakes a worker
//	              claim: one transaction {pending → running, token, lease, "started"}
//	                              │                          ┌───────────────────────────────┐
//	              engine: plan, transfer; each event fenced  │ keeper: all leases of a worker │
//	                              │                          │ in one statement, every beat   │
//	        ┌─────────────────────┼──────────────────────┐   └───────────────────────────────┘
//	   success             permanent failure      transient failure,     no word for a lease:
//	   {success,           or cancel              or shutdown            reaper, of any worker
//	   "finished",         {failed, "error"}      {pending,              {pending, "recovered",
//	   River's             {cancelled, …}         "retry_scheduled"}     River job cancelled,
//	   completion}         then JobCancel         then River again       a new one inserted}
//
// # Who ends a run
//
// Its context has one of three causes: errInterrupted (the worker stops), errCancelled (an operator), errLeaseLost (the keeper
// could not renew in time, or the token is somebody else's). They are set by heed, which watches River's context, and by
// the keeper; what becomes of the job is decided by them and the error in fateAfter, and nowhere else.
//
// Lock order: a job's row, then job_runs, then river_job.
package riverjobs
