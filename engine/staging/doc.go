// Package staging is the hidden folder in which a run builds what it will publish, and the one rename that publishes it.
//
//	destination/
//	├── .ketter-<installation>-<job>-<run>.partial/    0700, locked (flock) while its run lives
//	│   ├── data/<base name>…                          what is being built; its one child gets the final name
//	│   ├── manifest.jsonl                             what was read at the source
//	│   └── archive.zip                                of a ZIP_FIRST, until it is unpacked
//	└── <base name>…                                   after the publish
//
// # Authority
//
// The name says whose it is. A run writes only into its own staging, made with a token that nobody had before. The runs of
// one job may remove each other's staging, unless its lock shows that its run is still alive; nobody touches that of
// another job or another installation. Staging never looks at the source and never replaces a name.
//
// # States
//
//	Create ──► being built ──► Publish ──► published ──► Remove
//	                │                          │
//	                └─── failed: Remove        └─ kept, with its manifest, until the job's final commit
//
// What a crash leaves, and who mends it:
//
//	before Create        nothing, or empty folders made for destination_path: they stay
//	while being built    a staging nobody locks: the job's next run removes it
//	before the publish   the same, complete
//	after the publish    the final name, and a staging with an empty data/ and the whole manifest: the next run knows the
//	                     published inode by the intent, and the source of a move by the manifest
//	while removing       less of the same: removing begins again
package staging
