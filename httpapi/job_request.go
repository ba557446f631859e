package httpapi

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ketter/ketter/engine/transfer"
)

const (
	fieldSource      = "source_path"
	fieldDestination = "destination_path"
	fieldMode        = "mode"
	fieldStrategy    = "strategy"
	fieldVerify      = "verify"
	fieldQueue       = "queue"
	fieldPriority    = "priority"

	fieldSourcePortal      = "source_portal"
	fieldDestinationPortal = "destination_portal"

	fieldDryRun = "dry_run"
)

// jobRequest is what POST /jobs asks for; which portals there are is yet to be found.
type jobRequest struct {
	submission                      transfer.Submission
	sourcePortal, destinationPortal string // ids or names; empty: none
	dryRun                          bool
}

// parseJob makes a job of a request's members, or says what is wrong with the first that doesn't fit. Where the paths may
// lie is checkPaths' affair.
func parseJob(members []member) (asked jobRequest, err error) {
	values, err := texts(members)
	if err != nil {
		return asked, err
	}
	asked.dryRun = values[fieldDryRun] == "true"
	asked.sourcePortal, asked.destinationPortal = values[fieldSourcePortal], values[fieldDestinationPortal]
	if asked.submission.Spec, err = parseSpec(values); err != nil {
		return asked, err
	}
	if asked.submission.Queue, err = parseQueue(values); err != nil {
		return asked, err
	}
	asked.submission.Priority, err = parsePriority(values)
	return asked, err
}

func parseSpec(values map[string]string) (spec transfer.Spec, err error) {
	if spec.Source, err = parseSide(values, fieldSource, fieldSourcePortal); err != nil {
		return spec, err
	}
	if spec.Destination, err = parseSide(values, fieldDestination, fieldDestinationPortal); err != nil {
		return spec, err
	}
	if spec.Mode, err = choose(values, fieldMode, "", transfer.Copy, transfer.Move); err != nil {
		return spec, err
	}
	if spec.Strategy, err = choose(values, fieldStrategy, transfer.Auto, transfer.Auto, transfer.Direct, transfer.ZipFirst); err != nil {
		return spec, err
	}
	spec.Verify, err = choose(values, fieldVerify, transfer.Checksum, transfer.Checksum, transfer.Size, transfer.None)
	return spec, err
}

// texts returns the values by name. All that a job knows are strings but the priority and dry_run, which stay as they were written.
func texts(members []member) (map[string]string, error) {
	known := []string{
		fieldSource, fieldDestination, fieldMode, fieldStrategy, fieldVerify, fieldQueue, fieldPriority, fieldSourcePortal,
		fieldDestinationPortal, fieldDryRun,
	}
	values := make(map[string]string, len(members))
	for _, m := range members {
		var err error
		switch {
		case !slices.Contains(known, m.name):
			err = invalid("There is no field %s; a job has %s.", short(m.name), strings.Join(known, ", "))
		case m.name == fieldPriority:
			values[m.name] = string(m.value)
		case m.name == fieldDryRun:
			values[m.name], err = m.boolean()
		case m.name == fieldSourcePortal || m.name == fieldDestinationPortal:
			values[m.name], err = m.portal()
		default:
			values[m.name], err = m.text()
		}
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}

// boolean returns a member's value as it was written, which must be true or false.
func (m member) boolean() (string, error) {
	if kind := kindOf(m.value); kind != "a boolean" {
		return "", invalid("%s must be true or false; it is %s.", m.name, kind)
	}
	return string(m.value), nil
}

// portal returns a member's value, which must name a portal or be its id.
func (m member) portal() (string, error) {
	if kindOf(m.value) == "a number" {
		return string(m.value), nil
	}
	ref, err := m.text()
	if err == nil && ref == "" {
		err = invalid("%s is empty; name a portal, or leave the field out.", m.name)
	}
	return ref, err
}

// queueName is what River takes for one.
var queueName = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)

const maxQueue = 64

func isQueue(name string) bool { return len(name) <= maxQueue && queueName.MatchString(name) }

// parseQueue returns an empty one where none is asked for: it is then that of a host that can run the job.
func parseQueue(values map[string]string) (string, error) {
	name, given := values[fieldQueue]
	if given && !isQueue(name) {
		return "", invalid("queue is %s; it must be %s.", short(name), queueSyntax)
	}
	return name, nil
}

func parsePriority(values map[string]string) (int16, error) {
	value, given := values[fieldPriority]
	if !given {
		return transfer.DefaultPriority, nil
	}
	priority, err := strconv.ParseInt(value, 10, 16)
	if err != nil || priority < 1 || priority > 4 {
		return 0, invalid("priority must be the number 1, 2, 3 or 4; 1 goes first.")
	}
	return int16(priority), nil
}

// idempotencyKey returns the request's, empty if it has none.
func idempotencyKey(header http.Header) (string, error) {
	keys := header.Values("Idempotency-Key")
	foreign := func(r rune) bool { return r < ' ' || r > '~' }
	switch {
	case len(keys) == 0:
		return "", nil
	case len(keys) > 1:
		return "", invalid("There are %d Idempotency-Key headers; send one.", len(keys))
	case keys[0] == "", len(keys[0]) > 255, strings.ContainsFunc(keys[0], foreign), strings.TrimSpace(keys[0]) != keys[0]:
		return "", invalid("The Idempotency-Key must be 1 to 255 printable ASCII characters, without spaces at its ends.")
	}
	return keys[0], nil
}

// choose returns the value of name, which must be one of choices, or standard when there is none. With standard empty, a
// value must be given.
func choose[T ~string](values map[string]string, name string, standard T, choices ...T) (T, error) {
	value, given := values[name]
	if !given && standard != "" {
		return standard, nil
	}
	if slices.Contains(choices, T(value)) {
		return T(value), nil
	}
	if !given {
		return "", invalid("%s is missing; it must be %s.", name, alternatives(choices))
	}
	return "", invalid("%s is %s; it must be %s.", name, short(value), alternatives(choices))
}

func alternatives[T ~string](choices []T) string {
	words := make([]string, len(choices))
	for i, choice := range choices {
		words[i] = string(choice)
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
