// Package transfer holds the vocabulary of a transfer: what is asked for (Spec), what is decided (Strategy), what is done
// (Method), how it is proven (Verify), and what is told on the way (Event, Progress). It performs no I/O.
package transfer

import (
	"path"
	"time"
)

// Mode says what becomes of the source.
type Mode string

// The modes.
const (
	Copy Mode = "copy" // the source stays as it is
	Move Mode = "move" // the source is removed once the destination is published, durable and proven
)

// Valid reports whether m is a mode.
func (m Mode) Valid() bool { return m == Copy || m == Move }

// Strategy is the planner's verdict, or what a job asks of it.
type Strategy string

// The strategies. Auto is only ever asked for, never decided.
const (
	Auto     Strategy = "AUTO"
	Direct   Strategy = "DIRECT"    // file by file
	ZipFirst Strategy = "ZIP_FIRST" // one stored zip, unpacked at the destination
)

// Valid reports whether s may be asked for.
func (s Strategy) Valid() bool { return s == Auto || s.Decided() }

// Decided reports whether s may be a verdict.
func (s Strategy) Decided() bool { return s == Direct || s == ZipFirst }

// Method is what was done, whatever the strategy.
type Method string

// The methods.
const (
	Rename  Method = "rename"  // a move within one file system
	Copied  Method = "copy"    // file by file
	Archive Method = "archive" // packed, sent and unpacked
	Stream  Method = "stream"  // packed and unpacked on the fly, over a connection
)

// Verify says how a transfer is proven.
type Verify string

// The ways of proving.
const (
	Checksum Verify = "checksum" // xxh64 of what was read against a re-read of the destination
	Size     Verify = "size"     // sizes only
	None     Verify = "none"
)

// Valid reports whether v is a way of proving.
func (v Verify) Valid() bool { return v == Checksum || v == Size || v == None }

// Run names one run of one job. The three parts name its staging folder, so that no two runs, and no two installations,
// ever write into one tree.
type Run struct {
	Installation string // made with the database; the CLI derives one. Letters, digits and '-'
	Job          int64
	Token        string // fresh for each run. Letters, digits and '-'
}

// Spec is one transfer: copy or move Source to Destination/<base name of Source>. Both paths are absolute and clean.
type Spec struct {
	Source      string
	Destination string // the folder that receives the source; made when missing
	// The portals that Source and Destination are on, by their ids, and inside which their paths are; 0: this machine.
	SourcePortal, DestinationPortal int64

	Mode     Mode
	Strategy Strategy // what is asked for; Auto leaves it to the planner
	Verify   Verify
	Run      Run

	// Intent is what an earlier run of the same job recorded just before it published, nil if none did. A destination that
	// matches it is the job's own, and the transfer goes on from there.
	Intent *Intent
	// Alone says that nobody but the lock on a run's staging keeps two runs of the job apart: one that finds another alive
	// fails. Else whoever starts a run knows that any earlier one has lost the right to go on, be it alive or not.
	Alone bool
	// Resumes reports whether another run of the job will follow after err, for which what is proven stays. Nil: none.
	Resumes func(err error) bool
}

// Submission is a transfer asked for as a job.
type Submission struct {
	Spec           Spec   // its paths, mode, strategy and verify; they have been validated
	Queue          string // empty: that of a host that can run it
	Priority       int16  // 1 to 4; 1 goes first
	IdempotencyKey string // the same key stands for the same submission, for a day; empty: none
	RequestID      string // of whatever asked for it, for people who look for it in a log; empty: none
	SubmittedBy    string // the name of who asks for it; empty: somebody
}

// What a submission has that says nothing of it. The standard priority leaves one above it for what is urgent.
const (
	DefaultQueue    = "default"
	DefaultPriority = 2
)

// FinalPath is where the source arrives, for files and folders and for every strategy alike.
func (s Spec) FinalPath() string { return path.Join(s.Destination, path.Base(s.Source)) }

// Forced reports whether the job itself asked for a strategy.
func (s Spec) Forced() bool { return s.Strategy.Decided() }

// Intent is recorded at the point of no return: what is about to get the final name. A rename keeps device and inode, so
// what is found there later can be recognised.
type Intent struct {
	Path   string `json:"path"`
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	Method Method `json:"method"`
	Files  int64  `json:"files"`
	Bytes  int64  `json:"bytes"`
}

// Result is what a transfer did.
type Result struct {
	Method  Method
	Files   int64 // regular files and symbolic links
	Bytes   int64 // bytes of regular files
	Elapsed time.Duration
}

// Phase is what a run is busy with.
type Phase string

// The phases, in the order in which a run goes through those it needs.
const (
	Scanning   Phase = "scanning"
	Resuming   Phase = "resuming"
	Packing    Phase = "packing"
	Sending    Phase = "sending"
	Unpacking  Phase = "unpacking"
	Copying    Phase = "copying"
	Syncing    Phase = "syncing"
	Verifying  Phase = "verifying"
	Publishing Phase = "publishing"
	Removing   Phase = "removing"
)

// Progress is a snapshot of a run. Counts are those of the current phase; totals are 0 while they are not known.
type Progress struct {
	Phase      Phase
	FilesDone  int64
	FilesTotal int64
	BytesDone  int64
	BytesTotal int64
	// Of the run as a whole, all its phases counted; 0 while there is too little to go by.
	BytesPerSecond float64       // of the current phase
	Left           time.Duration // until the run ends
}
