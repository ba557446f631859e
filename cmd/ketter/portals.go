package main

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/endpoint/local"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/portal"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi"
	"github.com/ketter/ketter/infra/config"
)

// newPortals reaches the portals in the database, with this process's keys.
func newPortals(c config.Config, store *db.Store) (*portal.Portals, error) {
	credentials, err := newCredentials(c)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		self = "" // it is never sent, then
	}
	return portal.New(portal.Options{
		Label: c.WorkerLabel, Roots: local.Roots(c.AllowedRoots), Binary: self,
		Find: func(ctx context.Context, id int64) (portal.Portal, error) {
			p, err := store.Portal(ctx, id)
			if errors.Is(err, db.ErrNotFound) {
				return portal.Portal{}, failure.New(failure.PortalNotFound, "", "The portal of the job was deleted")
			}
			if err != nil {
				return portal.Portal{}, err
			}
			credential, err := credentials.Open(p)
			return wayTo(p, credential), err
		},
	}), nil
}

func wayTo(p db.Portal, credential remote.Credential) portal.Portal {
	way := portal.Portal{
		ID: p.ID, Name: p.Name, Local: p.Kind == transfer.LocalPortal, Root: p.RootPath, Label: orEmpty(p.WorkerLabel),
		AgentPath: orEmpty(p.AgentPath), SendAgent: p.SendAgent,
		ZipThresholdFiles: p.ZipThresholdFiles, ZipThresholdAvgSize: p.ZipThresholdAvgSizeBytes,
		Target: remote.Target{Host: orEmpty(p.Host), User: orEmpty(p.Username), Credential: credential, Connections: int(p.MaxConnections)},
	}
	if p.Port != nil {
		way.Target.Port = int(*p.Port)
	}
	if keys := strings.TrimSpace(orEmpty(p.HostKey)); keys != "" {
		way.Target.HostKeys = strings.Split(keys, "\n")
	}
	return way
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// portalTester tells the API what a test has found.
type portalTester struct{ *portal.Portals }

var _ httpapi.PortalTester = portalTester{}

// Test implements httpapi.PortalTester.
func (t portalTester) Test(ctx context.Context, id int64) (httpapi.PortalReport, error) {
	found, err := t.Portals.Test(ctx, id)
	if err != nil {
		return httpapi.PortalReport{}, err
	}
	report := httpapi.PortalReport{OK: true, LatencySeconds: found.Latency.Seconds(), FreeBytes: -1}
	if found.Free <= math.MaxInt64 {
		report.FreeBytes = int64(found.Free)
	}
	report.Via, _ = found.Reach.Facts["via"].(string)
	report.Tools, _ = found.Reach.Facts["tools"].([]string)
	report.ExtensionsMissing, _ = found.Reach.Facts["missing"].([]string)
	for _, c := range found.Checks {
		check := httpapi.PortalCheck{Name: c.Name, OK: c.Err == nil, Message: c.Message, Seconds: c.Elapsed.Seconds()}
		if c.Err != nil {
			check.Code, check.Hint, report.OK = c.Err.Code, c.Err.Advice(), false
		}
		report.Checks = append(report.Checks, check)
	}
	return report, nil
}
