package httpapi

import (
	"slices"
	"strings"

	"github.com/ketter/ketter/engine/transfer"
)

const (
	fieldSource      = "source_path"
	fieldDestination = "destination_path"
	fieldMode        = "mode"
	fieldStrategy    = "strategy"
	fieldVerify      = "verify"
)

// parseSpec makes a transfer of a request's members, or says what is wrong with the first that doesn't fit. Where the paths
// may lie is checkPaths' affair.
func parseSpec(members []member) (transfer.Spec, error) {
	values, err := texts(members)
	if err != nil {
		return transfer.Spec{}, err
	}
	var spec transfer.Spec
	if spec.Source, err = parsePath(fieldSource, values[fieldSource]); err != nil {
		return transfer.Spec{}, err
	}
	if spec.Destination, err = parsePath(fieldDestination, values[fieldDestination]); err != nil {
		return transfer.Spec{}, err
	}
	if spec.Mode, err = choose(values, fieldMode, "", transfer.Copy, transfer.Move); err != nil {
		return transfer.Spec{}, err
	}
	if spec.Strategy, err = choose(values, fieldStrategy, transfer.Auto, transfer.Auto, transfer.Direct, transfer.ZipFirst); err != nil {
		return transfer.Spec{}, err
	}
	spec.Verify, err = choose(values, fieldVerify, transfer.Checksum, transfer.Checksum, transfer.Size, transfer.None)
	return spec, err
}

// texts returns the values by name; all that a job knows are strings.
func texts(members []member) (map[string]string, error) {
	known := []string{fieldSource, fieldDestination, fieldMode, fieldStrategy, fieldVerify}
	values := make(map[string]string, len(members))
	for _, m := range members {
		if m.name == "source_portal" || m.name == "destination_portal" {
			return nil, invalid("%s: portals are not available in this version; leave the field out.", m.name)
		}
		if !slices.Contains(known, m.name) {
			return nil, invalid("There is no field %s; a job has %s.", short(m.name), strings.Join(known, ", "))
		}
		text, err := m.text()
		if err != nil {
			return nil, err
		}
		values[m.name] = text
	}
	return values, nil
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
