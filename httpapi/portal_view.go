package httpapi

import (
	"strings"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/remote"
)

func (a *api) viewPortal(p db.Portal) Portal {
	return Portal{
		ID: p.ID, Name: p.Name, Kind: p.Kind, RootPath: p.RootPath, Host: p.Host, Port: intOf(p.Port), Username: p.Username,
		HostKey: p.HostKey, HostKeyFingerprints: fingerprints(orZero(p.HostKey)),
		Credential:  PortalCredential{Kind: p.CredentialKind, Readable: p.Credential == nil || a.Credentials.Readable(p)},
		WorkerLabel: p.WorkerLabel, ZipThresholdFiles: p.ZipThresholdFiles, ZipThresholdAvgSizeBytes: p.ZipThresholdAvgSizeBytes,
		MaxConnections: int(p.MaxConnections), AgentPath: p.AgentPath, SendAgent: p.SendAgent,
		CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
}

// fingerprints are those of a portal's host keys, as ssh-keygen -l shows them.
func fingerprints(hostKeys string) []string {
	prints := []string{}
	for line := range strings.Lines(hostKeys) {
		if fingerprint, err := remote.Fingerprint(line); err == nil {
			prints = append(prints, fingerprint)
		}
	}
	return prints
}

func intOf(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}
