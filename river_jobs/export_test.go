package riverjobs

// The statements that are not package db's, for tests of how they are run.
const (
	StrandedSQL = strandedSQL
	OutlivedSQL = outlivedSQL
)
