package httpapi

import (
	"encoding/json"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// portalRef names a portal by its name or id; the JSON of it is a string or a number.
type portalRef string

// UnmarshalJSON implements json.Unmarshaler.
func (r *portalRef) UnmarshalJSON(sent []byte) error {
	if kindOf(sent) == "a number" {
		*r = portalRef(sent)
		return nil
	}
	return json.Unmarshal(sent, (*string)(r))
}

// parseJob makes a submission of a request that fits the contract; which portals there are is yet to be found. Where the paths may
// lie is checkPaths' affair.
func parseJob(asked JobRequest) (s transfer.Submission, err error) {
	s = transfer.Submission{
		Spec:  transfer.Spec{Mode: asked.Mode, Strategy: orElse(asked.Strategy, transfer.Auto), Verify: orElse(asked.Verify, transfer.Checksum)},
		Queue: orZero(asked.Queue), Priority: int16(orElse(asked.Priority, transfer.DefaultPriority)),
	}
	if s.Spec.Source, err = parseSide("source_path", asked.SourcePath, asked.SourcePortal != nil); err != nil {
		return s, err
	}
	if s.Spec.Source == "/" && asked.SourcePortal == nil {
		return s, failure.New(failure.InvalidRequest, "/", "source_path is the root of the file system; name the file or folder to transfer.")
	}
	s.Spec.Destination, err = parseSide("destination_path", asked.DestinationPath, asked.DestinationPortal != nil)
	return s, err
}

// orElse is what was given, or else the standard.
func orElse[T any](given *T, standard T) T {
	if given == nil {
		return standard
	}
	return *given
}

// orZero is what was given, or else nothing.
func orZero[T any](given *T) (value T) { return orElse(given, value) }
