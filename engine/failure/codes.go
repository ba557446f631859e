package failure

import "net/http"

// Class says whether trying again can help.
type Class int

// The classes. The zero value is Permanent: an unknown failure is never retried blindly.
const (
	Permanent Class = iota // fail now
	Transient              // retry later
)

// entry is what follows from a code.
type entry struct {
	class Class
	http  int
	exit  int
	title string // how Sentence begins when an error brings none of its own
	hint  string
}

// table is the one place that decides class, statuses and hint. Exit statuses are stable and grouped by tens: 1 internal,
// 2 usage, 1x source, 2x destination, 3x proof, 4x portal, 5x run.
var table = map[Code]entry{
	SourceNotFound: {Permanent, http.StatusUnprocessableEntity, 10, "Source not found",
		"Check the path and that its volume is mounted on the worker's host."},
	SourcePermissionDenied: {Permanent, http.StatusUnprocessableEntity, 11, "No permission to read the source",
		"Give the user that runs the worker (on a portal: its account there) read permission, and for a move write permission on its parent folder, then retry the job."},
	SourceChanged: {Permanent, http.StatusConflict, 12, "The source changed while it was being read",
		"Wait until nothing writes to the source (is a recorder or an editor still open?), then retry the job. The source was not touched."},
	SourceNotRemoved: {Permanent, http.StatusConflict, 13, "The destination is complete, but the source could not be wholly removed",
		"The data is safe at the destination. See what remains in the source, make it removable, then retry the job: a retry only deletes."},
	UnsupportedFileType: {Permanent, http.StatusUnprocessableEntity, 14, "The source holds something that is not a file, a folder or a symbolic link",
		"Remove the socket, FIFO or device from the source, or transfer the folders beside it."},
	PathNotAllowed: {Permanent, http.StatusForbidden, 3, "The path is outside the allowed roots",
		"Use a path below one of KETTER_ALLOWED_ROOTS (see `ketter config`), or have an administrator add its root. On a portal: one below its root, and below the --root of its agent."},
	InvalidRequest: {Permanent, http.StatusBadRequest, 2, "The request is not valid",
		"Correct the request as the message says; nothing was changed."},
	DestinationExists: {Permanent, http.StatusConflict, 20, "Destination already exists",
		"Ketter never overwrites. Rename or remove what is there, or choose another destination folder."},
	DestinationPermissionDenied: {Permanent, http.StatusUnprocessableEntity, 21, "No permission to write to the destination",
		"Give the user that runs the worker (on a portal: its account there) write permission on the destination folder, then retry the job."},
	DestinationReadOnly: {Permanent, http.StatusUnprocessableEntity, 22, "The destination is read-only",
		"Mount the destination read-write, or choose another one, then retry the job."},
	DestinationFull: {Permanent, http.StatusInsufficientStorage, 23, "The destination is full",
		"Free space (or inodes, or quota) on the destination, then retry the job."},
	DestinationNotFound: {Permanent, http.StatusUnprocessableEntity, 24, "The destination's root does not exist",
		"Is the volume mounted? Ketter never creates a missing allowed root, so that an unmounted volume can't fill the system disk."},
	NameConflict: {Permanent, http.StatusConflict, 25, "The destination can't hold a name of the source",
		"Rename the file at the source (names that differ only in case or accents collide there, or the name is too long), then retry the job."},
	SourceInsideDestination: {Permanent, http.StatusUnprocessableEntity, 26, "The source already lies in the destination",
		"Choose another destination folder."},
	DestinationInsideSource: {Permanent, http.StatusUnprocessableEntity, 27, "The destination lies inside the source",
		"Choose a destination outside the source folder."},
	VerifyMismatch: {Permanent, http.StatusConflict, 30, "What arrived is not what left",
		"Nothing was published and the source is untouched. Check the storage and its cabling, then retry the job."},
	ArchiveError: {Permanent, http.StatusInternalServerError, 31, "The archive could not be made or unpacked",
		"Retry the job with \"strategy\": \"DIRECT\"; the source is untouched. Please report the path."},
	PortalUnreachable: {Transient, http.StatusBadGateway, 40, "The portal can't be reached",
		"Check that the host is up and that its address and port are right. Ketter tries again by itself."},
	PortalAuthFailed: {Permanent, http.StatusBadGateway, 41, "The portal refused the credentials",
		"Check the portal's user name and credential, then retry the job."},
	HostKeyMismatch: {Permanent, http.StatusBadGateway, 42, "The portal's host key is not the one on record",
		"Find out why it changed before you trust it: someone may be in between."},
	PortalInUse: {Permanent, http.StatusConflict, 43, "Jobs that have not ended use the portal",
		"Wait for these jobs to end, or cancel them; then ask again."},
	PortalNotFound: {Permanent, http.StatusNotFound, 44, "There is no such portal",
		"`ketter portals list` shows those there are. A job of a deleted portal can only be submitted anew."},
	PortalExists: {Permanent, http.StatusConflict, 45, "A portal of this name exists already",
		"Choose another name, or change the portal there is with `ketter portals set`."},
	LeaseLost: {Transient, http.StatusConflict, 50, "Another worker has taken the run over",
		"Nothing to do: the job goes on elsewhere."},
	JobState: {Permanent, http.StatusConflict, 53, "The job's state does not allow it",
		"GET /jobs/{id} shows where the job stands."},
	IdempotencyKeyReused: {Permanent, http.StatusConflict, 54, "The Idempotency-Key was used for another request",
		"Use a new key for a new job. The same key is only for asking the very same again."},
	Cancelled: {Permanent, http.StatusConflict, 51, "Cancelled",
		"Retry the job when it is wanted again."},
	IOError: {Transient, http.StatusInternalServerError, 52, "Reading or writing failed",
		"Look at the storage (system log, cabling, mount). Ketter tries again by itself."},
	Internal: {Transient, http.StatusInternalServerError, 1, "Something went wrong inside Ketter",
		"See the worker's log for the whole error. Ketter tries again by itself."},
}

// Codes returns every code, in no particular order.
func Codes() []Code {
	codes := make([]Code, 0, len(table))
	for code := range table {
		codes = append(codes, code)
	}
	return codes
}

// Class says whether trying again can help.
func (c Code) Class() Class { return table[c].class }

// HTTPStatus is the status of an answer that reports c.
func (c Code) HTTPStatus() int {
	if e, ok := table[c]; ok {
		return e.http
	}
	return http.StatusInternalServerError
}

// ExitStatus is the exit status of a command that ended with c.
func (c Code) ExitStatus() int {
	if e, ok := table[c]; ok {
		return e.exit
	}
	return 1
}

// Title is a short sentence without a full stop.
func (c Code) Title() string { return table[c].title }

// Hint says what the operator should do.
func (c Code) Hint() string { return table[c].hint }
