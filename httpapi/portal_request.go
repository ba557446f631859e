package httpapi

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

const noCredential = transfer.NoCredential

// What a portal has that says nothing of it.
const (
	defaultPort           = 22
	defaultMaxConnections = 8
	mostConnections       = 32
)

// portalRequest is what POST and PUT ask for.
type portalRequest struct {
	portal     db.Portal // without id, times and credential
	credential credentialRequest
}

var portalFields = []string{
	"name", "kind", "root_path", "host", "port", "username", "host_key", "credential", "worker_label", "zip_threshold_files",
	"zip_threshold_avg_size_bytes", "max_connections", "agent_path", "send_agent",
}

// parsePortal makes a portal of a request's members, or says what is wrong with the first that doesn't fit. A field that is null
// is left out: so what GET answers can be sent back with a change.
func parsePortal(members []member) (asked portalRequest, err error) {
	fields, err := fieldsOf(members, "a portal", portalFields)
	if err != nil {
		return asked, err
	}
	if asked.portal, err = parsePlace(fields); err != nil {
		return asked, err
	}
	if isSFTP(asked.portal) {
		err = parseSSH(fields, &asked.portal)
	} else {
		err = refuseSSH(fields)
	}
	if err != nil {
		return asked, err
	}
	if err := parseHabits(fields, &asked.portal); err != nil {
		return asked, err
	}
	asked.portal.CredentialKind = noCredential
	asked.credential, err = parseCredential(members, isSFTP(asked.portal))
	return asked, err
}

func isSFTP(p db.Portal) bool { return p.Kind == transfer.SFTPPortal }

// parsePlace reads what every portal has.
func parsePlace(f fields) (p db.Portal, err error) {
	if p.Name, err = f.text("name"); err != nil {
		return p, err
	}
	if !portalName.MatchString(p.Name) || digits.MatchString(p.Name) {
		return p, invalid("name is %s; it must be letters, digits, '.', '_' and '-', 63 at most, begin with a letter or digit, and not be digits alone.", short(p.Name))
	}
	kind, err := f.text("kind")
	if err != nil {
		return p, err
	}
	values := map[string]string{}
	if kind != "" {
		values["kind"] = kind
	}
	if p.Kind, err = choose(values, "kind", "", transfer.LocalPortal, transfer.SFTPPortal); err != nil {
		return p, err
	}
	root, err := f.text("root_path")
	if err != nil {
		return p, err
	}
	p.RootPath, err = parsePath("root_path", root)
	return p, err
}

// sshFields are those that only a portal of kind sftp has.
var sshFields = []string{"host", "port", "username", "host_key", "agent_path", "send_agent"}

func refuseSSH(f fields) error {
	for _, name := range sshFields {
		if m, given := f[name]; given && string(m.value) != "false" {
			return invalid("%s: a portal of kind local has none; leave it out.", name)
		}
	}
	return nil
}

func parseSSH(f fields, p *db.Portal) error {
	host, err := f.checked("host", isHost, "a name or address of a host, without user and port")
	if err != nil {
		return err
	}
	username, err := f.checked("username", isUsername, "a user's name on the host, without spaces, 128 characters at most")
	if err != nil {
		return err
	}
	hostKey, err := f.text("host_key")
	if err != nil {
		return err
	}
	if hostKey, err = parseHostKeys(hostKey); err != nil {
		return err
	}
	port, err := f.number("port", 1, 65535)
	if err != nil {
		return err
	}
	p.Host, p.Username, p.HostKey, p.Port = &host, &username, &hostKey, new(int32(orElse(port, defaultPort)))
	if p.AgentPath, err = f.path("agent_path"); err != nil {
		return err
	}
	p.SendAgent, err = f.truth("send_agent")
	return err
}

// parseHabits reads how jobs use the portal.
func parseHabits(f fields, p *db.Portal) (err error) {
	label, err := f.text("worker_label")
	if err != nil {
		return err
	}
	if p.WorkerLabel = orNull(label); label != "" && !isQueue(label) {
		return invalid("worker_label is %s; it must be %s.", short(label), queueSyntax)
	}
	const most = 1 << 53 // what every JSON reader holds exactly
	if p.ZipThresholdFiles, err = f.number("zip_threshold_files", 0, most); err != nil {
		return err
	}
	if p.ZipThresholdAvgSizeBytes, err = f.number("zip_threshold_avg_size_bytes", 0, most); err != nil {
		return err
	}
	connections, err := f.number("max_connections", 1, mostConnections)
	p.MaxConnections = int32(orElse(connections, defaultMaxConnections))
	return err
}

// fields are a request's members by name, without those that are null.
type fields map[string]member

func fieldsOf(members []member, of string, known []string) (fields, error) {
	found := fields{}
	for _, m := range members {
		if !slices.Contains(known, m.name) {
			return nil, invalid("There is no field %s; %s has %s.", short(m.name), of, strings.Join(known, ", "))
		}
		if string(m.value) != "null" {
			found[m.name] = m
		}
	}
	return found, nil
}

// text is empty for a field that is not given.
func (f fields) text(name string) (string, error) {
	m, given := f[name]
	if !given {
		return "", nil
	}
	return m.text()
}

// checked is text for a field that must be given.
func (f fields) checked(name string, fits func(string) bool, what string) (string, error) {
	value, err := f.text(name)
	switch {
	case err != nil:
		return "", err
	case value == "":
		return "", invalid("%s is missing; a portal of kind sftp needs %s.", name, what)
	case !fits(value):
		return "", invalid("%s is %s; it must be %s.", name, short(value), what)
	}
	return value, nil
}

func (f fields) number(name string, least, most int64) (*int64, error) {
	m, given := f[name]
	if !given {
		return nil, nil
	}
	n, err := strconv.ParseInt(string(m.value), 10, 64)
	if err != nil || n < least || n > most {
		return nil, invalid("%s must be a whole number from %d to %d.", name, least, most)
	}
	return &n, nil
}

func (f fields) truth(name string) (is bool, err error) {
	if m, given := f[name]; given && json.Unmarshal(m.value, &is) != nil {
		err = invalid("%s must be true or false; it is %s.", name, kindOf(m.value))
	}
	return is, err
}

func (f fields) path(name string) (*string, error) {
	sent, err := f.text(name)
	if err != nil || sent == "" {
		return nil, err
	}
	cleaned, err := parsePath(name, sent)
	return &cleaned, err
}

func orElse(n *int64, standard int64) int64 {
	if n == nil {
		return standard
	}
	return *n
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?$`)

func isHost(s string) bool {
	address, err := netip.ParseAddr(s)
	return hostName.MatchString(s) || err == nil && len(s) <= 253 && !strings.ContainsFunc(address.Zone(), foreignToHost)
}

func foreignToHost(r rune) bool { return !hostName.MatchString(string(r)) }

func isUsername(s string) bool {
	foreign := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError }
	return len(s) <= 128 && !strings.HasPrefix(s, "-") && !strings.ContainsFunc(s, foreign)
}

var queueSyntax = fmt.Sprintf("lower-case letters and digits, with single - or _ between them, %d at most", maxQueue)
