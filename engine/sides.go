package engine

import (
	"context"
	"errors"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/planner"
	"github.com/ketter/ketter/engine/transfer"
)

// Portals opens the storages of portals.
type Portals interface {
	// Open reaches the portal with this id; the storage is the caller's to let go of. It may be called by several goroutines.
	Open(ctx context.Context, id int64) (Portal, error)
}

// Portal is a portal that was reached.
type Portal struct {
	endpoint.Storage // of paths inside the portal
	Reach            // how
	Close            func()
	// What it has to say of when a folder is packed; nil leaves it to the engine's policy. See planner.Policy.
	ZipThresholdFiles, ZipThresholdAvgSize *int64
}

// Reach is how a portal is reached, to be told in an event.
type Reach struct {
	Portal string           // its name
	By     string           // in one sentence
	Facts  transfer.Figures // and for machines
}

// sides are the storages that a spec's paths are on.
type sides struct {
	source, destination endpoint.Storage
	portals             []Portal // that were opened
}

// open reaches what spec is on. A portal that both sides are on is opened once, so that names can be moved within it.
func (e *Engine) open(ctx context.Context, spec transfer.Spec) (*sides, error) {
	s := &sides{source: e.roots, destination: e.roots}
	opened := map[int64]endpoint.Storage{0: e.roots}
	for _, side := range []struct {
		portal  int64
		storage *endpoint.Storage
	}{{spec.SourcePortal, &s.source}, {spec.DestinationPortal, &s.destination}} {
		if opened[side.portal] == nil {
			portal, err := e.openPortal(ctx, side.portal)
			if err != nil {
				s.close()
				if side.storage == &s.source {
					err = ofSource(err)
				}
				return nil, err
			}
			s.portals = append(s.portals, portal)
			opened[side.portal] = portal.Storage
		}
		*side.storage = opened[side.portal]
	}
	return s, nil
}

// ofSource gives the source's code to a portal's root that is missing: a portal doesn't know what it is to be.
func ofSource(err error) error {
	var f *failure.Error
	if !errors.As(err, &f) || f.Code != failure.DestinationNotFound {
		return err
	}
	missing := *f
	missing.Code = failure.SourceNotFound
	return &missing
}

func (e *Engine) openPortal(ctx context.Context, id int64) (Portal, error) {
	if e.portals == nil {
		return Portal{}, failure.New(failure.InvalidRequest, "", "Portals are not known here: give paths of this machine")
	}
	portal, err := e.portals.Open(ctx, id)
	if err == nil || failure.CodeOf(err) != failure.Internal {
		return portal, err
	}
	return Portal{}, errors.Join(ctx.Err(), err)
}

// tell says how the portals were reached.
func (s *sides) tell(ctx context.Context, w *watch) error {
	for _, portal := range s.portals {
		figures := transfer.Figures{"portal": portal.Portal}
		for key, value := range portal.Facts {
			figures[key] = value
		}
		if err := w.event(ctx, transfer.EventConnected, portal.By, figures); err != nil {
			return err
		}
	}
	return nil
}

// policy is the destination's portal's, else the source's, else the engine's own.
func (s *sides) policy(own planner.Policy) planner.Policy {
	for _, portal := range s.portals { // the destination's is last
		if portal.ZipThresholdFiles != nil {
			own.ZipThresholdFiles = *portal.ZipThresholdFiles
		}
		if portal.ZipThresholdAvgSize != nil {
			own.ZipThresholdAvgSize = *portal.ZipThresholdAvgSize
		}
	}
	return own
}

func (s *sides) close() {
	for _, portal := range s.portals {
		portal.Close()
	}
}
