package transfer

// Status is the state of a job, kept in jobs.status. It is Ketter's own, apart from River's states.
type Status string

// The statuses.
const (
	Pending   Status = "pending"
	Running   Status = "running"
	Success   Status = "success"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// transitions is every change of status there is. The database refuses any other with a trigger made to match; a test
// compares the two.
var transitions = map[Status][]Status{
	Pending: {Running, Cancelled, Failed},
	Running: {Success, Failed, Cancelled,
		Pending}, // a retry, or a takeover by another worker
	Failed:    {Pending}, // an operator retries
	Cancelled: {Pending},
	Success:   nil,
}

// Statuses returns every status.
func Statuses() []Status { return []Status{Pending, Running, Success, Failed, Cancelled} }

// Valid reports whether s is a status.
func (s Status) Valid() bool {
	_, ok := transitions[s]
	return ok
}

// Final reports whether a job with status s has ended, until an operator retries it.
func (s Status) Final() bool { return s == Success || s == Failed || s == Cancelled }

// CanBecome reports whether a job may change from s to next.
func (s Status) CanBecome(next Status) bool {
	for _, t := range transitions[s] {
		if t == next {
			return true
		}
	}
	return false
}
