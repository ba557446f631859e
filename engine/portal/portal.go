// Package portal reaches the places that jobs name: folders of this machine, or of another host, there by the best that its
// account allows. It keeps what it has reached for the next job, and says how it got there. It decides nothing about a
// transfer, and holds secrets only as long as it needs them.
//
//	agent    ketter itself runs there, found on the host or sent there: all that a local folder can
//	tools    a shell is there, with tar or unzip: many small files at once, the rest over SFTP
//	sftp     nothing may be started there: file by file, many in flight
package portal

import (
	"path"
	"strings"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/remote"
)

// Portal is a place and how to get there.
type Portal struct {
	ID    int64
	Name  string
	Local bool   // Root is a path of this machine, or of the one with Label
	Root  string // absolute and clean
	Label string // whose workers see Root as a local path; empty: nobody's, or everybody's where it is Local

	Target    remote.Target
	AgentPath string // of ketter there; empty: in PATH
	SendAgent bool   // Ketter may bring its own binary there

	ZipThresholdFiles, ZipThresholdAvgSize *int64 // see engine.Portal
}

// within is a storage as seen from a folder of it: paths begin there.
type within struct {
	endpoint.Storage
	root string
}

// Locate implements endpoint.Storage.
func (w within) Locate(inside string) (*endpoint.Place, error) {
	return w.Storage.Locate(path.Join(w.root, inside))
}

// Path is where a path inside the portal is on its host.
func (p Portal) Path(inside string) string { return path.Join(p.Root, inside) }

// address is where the portal is, for a sentence.
func (p Portal) address() string {
	host := p.Target.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return p.Target.User + "@" + host
}
