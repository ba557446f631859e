// Package portal reaches the places that jobs name: folders of this machine, or of another host, there by the best that its
// account allows. It keeps what it has reached for the next job, and says how it got there. It decides nothing about a
// transfer, and holds secrets only as long as it needs them.
//
//	agent    ketter itself runs there, found on the host or sent there: all that a local folder can
//	tools    a shell is there, with tar or unzip: many small files at once, the rest over SFTP
//	sftp     nothing may be started there: file by file, many in flight
package portal

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
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

// within is a storage as seen from a portal's root: paths begin there.
type within struct {
	endpoint.Storage
	portal Portal
}

// Locate implements endpoint.Storage.
func (w within) Locate(inside string) (*endpoint.Place, error) {
	place, err := w.Storage.Locate(w.portal.Path(inside))
	if errors.Is(err, fs.ErrNotExist) { // which only a root is, see there
		err = w.portal.rootMissing(err)
	}
	return place, err
}

// rootMissing tells a portal's root that isn't there from whatever else is missing. It is a destination's failure until
// somebody knows better.
func (p Portal) rootMissing(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f := failure.New(failure.DestinationNotFound, p.Root, "The root of portal "+p.Name+" does not exist on "+p.host()+": "+p.Root)
	f.Hint = "Is the volume mounted there? Ketter never makes a portal's root."
	f.Err = err
	return f
}

// host is where the root is, for a sentence.
func (p Portal) host() string {
	if p.Target.Host == "" {
		return "this host"
	}
	return p.Target.Host
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
