package riverjobs

// maxAttempts is how often a job is tried before a transient failure becomes final.
const maxAttempts = 8

// TransferArgs wakes a worker for a job. All there is to know about the job is in its row.
type TransferArgs struct {
	JobID int64 `json:"job_id"`
}

// Kind names the args in River's tables; it is never changed, jobs in the queue bear it.
func (TransferArgs) Kind() string { return "transfer" }
