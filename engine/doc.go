// Package engine copies and moves files and folders between places of this machine, so that what arrives is proven to be
// what left and nothing is ever seen, overwritten or deleted by halves. It knows no job, no database and no queue: it is
// handed a transfer.Spec and tells a transfer.Observer what it does.
//
// A run goes through these steps. Until the publish, whatever goes wrong leaves the destination as it was found; from then
// on the destination stays, and another run with the recorded transfer.Intent goes on from there.
//
//	safe mode ─ rename, if it is a move and one file system ──────────────────────┐
//	     └───── stage (direct, or pack and unpack) ─ sync ─ verify ─ BeforePublish ─ publish ─ remove the source of a move
package engine
