package local

import (
	"fmt"
	"path/filepath"

	"github.com/ketter/ketter/engine/endpoint"
)

// Within narrows the roots to one folder that lies in them: the root of a portal, which never allows more than they do.
func (r Roots) Within(root string) endpoint.Storage { return portalRoot{roots: r, root: root} }

type portalRoot struct {
	roots Roots
	root  string // absolute and clean
}

// Locate implements endpoint.Storage.
func (p portalRoot) Locate(path string) (*endpoint.Place, error) {
	real, err := filepath.EvalSymlinks(p.root)
	if err != nil {
		return nil, fmt.Errorf("portal's root %s: %w", p.root, err)
	}
	place, err := p.roots.Locate(path)
	if err != nil {
		return nil, err
	}
	if !within(place.Path, real) {
		place.Dir.Close()
		return nil, notAllowed(path, "it leads out of the portal's root")
	}
	return place, nil
}

// Below implements endpoint.Storage.
func (p portalRoot) Below(real string) bool { return Roots{p.root}.Below(real) || p.roots.Below(real) }
