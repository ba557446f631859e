// Package staging is the hidden folder in which a run builds what it will publish, and the one rename that publishes it.
//
//	destination/
//	├── .ketter-<installation>-<job>-<run>.partial/    0700, locked (flock) while its run lives
//	│   ├── data/<base name>…                          what is being built; its one child gets the final name
//	│   ├── manifest.jsonl                             what was read at the source, and what of it is done
//	│   ├── archive.zip                                of a ZIP_FIRST, until it is unpacked
//	│   ├── links/                                     a name for each file that has several
//	│   ├── inherited/.ketter-….partial/               the staging of an earlier run, taken over by this one
//	│   │   └── fenced/<base name>…                    what that run had in its data/
//	│   └── kept/<base name>…                          files of earlier runs, proven, until this one's walk comes to them
//	└── <base name>…                                   after the publish
//
// # Authority
//
// The name says whose it is. A run writes only into its own staging, made with a token that nobody had before; nobody
// touches that of another job or another installation. Staging never looks at the source and never replaces a name.
//
// Of one job, the run that was started last has the right to go on, and takes over what earlier ones have left. Such a run
// may be alive without knowing: stopped, or cut off. What it has open stays open and follows a renamed folder, so no
// token keeps it from writing. Therefore:
//
//   - What it builds is taken out of its data/ first (fenced). Either that comes before its own publish, which then fails, or
//     it finds nothing there, and the run has published.
//   - Folders that it may have open are never published. Only files go over, each by a rename, into folders that are new,
//     and only those that it had closed and recorded: it has no handle on them.
//   - A file that it had not finished is gone on with in place only when its lock is ours, which death frees and a stop
//     doesn't. Else it is begun afresh.
//
// # States
//
//	Create ──► being built ──► Publish ──► published ──► Remove
//	                │                          │
//	                ├─ failed: Remove          └─ kept, with its manifest, until the job's final commit
//	                └─ interrupted: kept, for the next run to inherit
//
// What a crash leaves, and who mends it:
//
//	before Create        nothing, or empty folders made for destination_path: they stay
//	while being built    a staging that nobody locks: the job's next run inherits what is proven in it
//	while inheriting     the same, one in the other: the next run takes all of them
//	before the publish   the same, complete
//	within a publish     where the storage has no rename that refuses to replace, an empty folder or file under the final
//	                     name: the next run knows it by the complete staging, and removes it
//	after the publish    the final name, and a staging with an empty data/ and the whole manifest: the next run knows the
//	                     published inode by it, and by it removes the source of a move
//	while removing       less of the same: removing begins again
package staging
