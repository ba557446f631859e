// Package lab measures how Ketter does between two of a studio's volumes, and proves there what it promises: it makes data sets,
// has them transferred by jobs of a running Ketter, compares what arrived, and recommends thresholds by the figures. It asks
// the API as anybody does; it never looks into the database, and touches nothing but two folders of its own making.
//
//	options.go    what is asked for, and whether there is room for it
//	side.go       source and destination: folders, or portals
//	ground.go     the two folders, and what removes them; left.go names those of labs that were killed
//	job.go        a job, to its end or that of whoever waits
//	dataset.go    what is transferred
//	measure.go    the rounds
//	prove.go      what must hold after each run
//	labs.go       the labs by name
//	refused.go    those of errors; overwrite.go and history.go are named after theirs
//	figures.go    medians, and what noise explains
//	recommend.go  from figures to thresholds: pure
//	auto.go       AUTO under thresholds, beside both strategies
//	calibrate.go  the short form
//	report.go     what was found, as files; markdown.go is its wording
package lab
