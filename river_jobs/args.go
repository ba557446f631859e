package riverjobs

import "github.com/ketter/ketter/engine/failure"

const (
	// maxAttempts is how often a job is tried before a transient failure becomes final.
	maxAttempts = 8
	// maxPortalAttempts is the same while its portal can't be reached: with 5 minutes between two at last, some two and a half
	// hours. A network that comes and goes spends attempts of jobs that are well on their way.
	maxPortalAttempts = 40
)

// attemptsAt is how often a job may be tried that fails with code.
func attemptsAt(code failure.Code) int32 {
	if code == failure.PortalUnreachable {
		return maxPortalAttempts
	}
	return maxAttempts
}

// TransferArgs wakes a worker for a job. All there is to know about the job is in its row.
type TransferArgs struct {
	JobID int64 `json:"job_id"`
}

// Kind names the args in River's tables; it is never changed, jobs in the queue bear it.
func (TransferArgs) Kind() string { return "transfer" }
