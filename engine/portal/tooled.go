package portal

import (
	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/sftp"
	"github.com/ketter/ketter/engine/endpoint/shelltools"
	"github.com/ketter/ketter/engine/remote"
)

// tooled is an SFTP storage with what the host's own tools add to it.
type tooled struct {
	*sftp.Storage
	host  *remote.Host
	tools shelltools.Tools
}

// Locate implements endpoint.Storage.
func (t tooled) Locate(path string) (*endpoint.Place, error) {
	place, err := t.Storage.Locate(path)
	if err == nil && len(t.tools.Names()) > 0 {
		place.Dir = shelltools.Decorate(place.Dir, place.Path, t.host, t.tools)
	}
	return place, err
}

// Broken implements storage: each operation finds its own connection.
func (t tooled) Broken() error { return nil }
