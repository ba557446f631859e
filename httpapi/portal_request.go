package httpapi

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/transfer"
)

// What a portal has that says nothing of it.
const (
	defaultPort           = 22
	defaultMaxConnections = 8
)

// portalRequest is what POST and PUT ask for.
type portalRequest struct {
	portal     db.Portal // without id, times and credential
	credential credentialRequest
}

// parsePortal makes a portal of a request that fits the contract, or says what is wrong with what a schema can't tell.
func parsePortal(sent PortalRequest) (asked portalRequest, err error) {
	p := db.Portal{
		Name: sent.Name, Kind: sent.Kind, CredentialKind: transfer.NoCredential, WorkerLabel: orNull(orZero(sent.WorkerLabel)),
		ZipThresholdFiles: sent.ZipThresholdFiles, ZipThresholdAvgSizeBytes: sent.ZipThresholdAvgSizeBytes,
		MaxConnections: int32(orElse(sent.MaxConnections, defaultMaxConnections)),
	}
	if p.RootPath, err = parsePath("root_path", sent.RootPath); err != nil {
		return asked, err
	}
	if isSFTP(p) {
		err = parseSSH(sent, &p)
	} else {
		err = refuseSSH(sent)
	}
	if err != nil {
		return asked, err
	}
	asked.portal = p
	asked.credential, err = parseCredential(sent.Credential, isSFTP(p))
	return asked, err
}

func isSFTP(p db.Portal) bool { return p.Kind == transfer.SFTPPortal }

// refuseSSH refuses what only a portal of kind sftp has.
func refuseSSH(sent PortalRequest) error {
	for _, field := range []struct {
		name  string
		given bool
	}{
		{"host", sent.Host != nil}, {"port", sent.Port != nil}, {"username", sent.Username != nil}, {"host_key", sent.HostKey != nil},
		{"agent_path", sent.AgentPath != nil}, {"send_agent", orZero(sent.SendAgent)},
	} {
		if field.given {
			return invalid("%s: a portal of kind local has none; leave it out.", field.name)
		}
	}
	return nil
}

func parseSSH(sent PortalRequest, p *db.Portal) error {
	if err := needed("host", sent.Host, isHost, "a name or address of a host, without user and port"); err != nil {
		return err
	}
	if err := needed("username", sent.Username, isUsername, "a user's name on the host, without spaces, 128 characters at most"); err != nil {
		return err
	}
	hostKey, err := parseHostKeys(orZero(sent.HostKey))
	if err != nil {
		return err
	}
	if orZero(sent.AgentPath) != "" {
		path, err := parsePath("agent_path", *sent.AgentPath)
		if err != nil {
			return err
		}
		p.AgentPath = &path
	}
	p.Host, p.Username, p.HostKey, p.Port = sent.Host, sent.Username, &hostKey, new(int32(orElse(sent.Port, defaultPort)))
	p.SendAgent = orZero(sent.SendAgent)
	return nil
}

// needed checks what a portal of kind sftp can't be without.
func needed(name string, sent *string, fits func(string) bool, what string) error {
	switch {
	case orZero(sent) == "":
		return invalid("%s is missing; a portal of kind sftp needs %s.", name, what)
	case !fits(*sent):
		return invalid("%s is %s; it must be %s.", name, short(*sent), what)
	}
	return nil
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
