package transfer

import "context"

// EventKind names a step of a job. Events are bounded per job: there is never one per file.
type EventKind string

// The kinds of event.
const (
	EventCreated          EventKind = "created"
	EventStarted          EventKind = "started"
	EventConnected        EventKind = "connected" // a portal was reached
	EventStrategyDecision EventKind = "strategy_decision"
	EventArchiveCreated   EventKind = "archive_created"
	EventArchiveSent      EventKind = "archive_sent"
	EventArchiveExtracted EventKind = "archive_extracted"
	EventCleanedUp        EventKind = "cleaned_up"
	EventVerified         EventKind = "verified"
	EventPublished        EventKind = "published"
	EventSourceRemoved    EventKind = "source_removed"
	EventFinished         EventKind = "finished"
	EventError            EventKind = "error"
	EventRetryScheduled   EventKind = "retry_scheduled"
	EventRecovered        EventKind = "recovered"
	EventCancelRequested  EventKind = "cancel_requested"
	EventCancelled        EventKind = "cancelled"
)

// Figures is an event's payload: what a person or a program may want to compute with. Bytes and files are counts, times
// are seconds, and keys say so ("bytes", "files", "seconds", "archive_bytes").
type Figures map[string]any

// Event is one step, told in a sentence and in figures.
type Event struct {
	Kind    EventKind
	Message string
	Figures Figures
}

// Observer is told what a transfer does, and may stop it: an error of any method ends the run. Methods may be called from
// several goroutines, though never two at once.
type Observer interface {
	// Event is called as each step is done.
	Event(ctx context.Context, event Event) error
	// Progress is called now and then, at most a few times a second. It must not block for long.
	Progress(progress Progress)
	// BeforePublish is the point of no return: the intent must be durable when it returns nil. It is called again, and the
	// last intent counts, when a move's rename fails after all in a way that a copy may not.
	BeforePublish(ctx context.Context, intent Intent) error
	// NotPublished takes back the recorded intent: it is certain that what it announced did not happen, and never will.
	NotPublished(ctx context.Context) error
	// BeforeInherit is called before what other runs of the job have left is taken from them. It fails when this run has lost
	// the right to go on.
	BeforeInherit(ctx context.Context) error
}
