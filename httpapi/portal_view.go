package httpapi

import (
	"strings"
	"time"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/engine/transfer"
)

// portalView is a portal as operators see it. Its names are a contract. Of the credential there is nothing but the kind.
type portalView struct {
	ID                       int64               `json:"id"`
	Name                     string              `json:"name"`
	Kind                     transfer.PortalKind `json:"kind"`
	RootPath                 string              `json:"root_path"`
	Host                     *string             `json:"host"` // this and what follows to the host's key: null for a local one
	Port                     *int32              `json:"port"`
	Username                 *string             `json:"username"`
	HostKey                  *string             `json:"host_key"`
	HostKeyFingerprints      []string            `json:"host_key_fingerprints"`
	Credential               credentialView      `json:"credential"`
	WorkerLabel              *string             `json:"worker_label"`
	ZipThresholdFiles        *int64              `json:"zip_threshold_files"`
	ZipThresholdAvgSizeBytes *int64              `json:"zip_threshold_avg_size_bytes"`
	MaxConnections           int32               `json:"max_connections"`
	AgentPath                *string             `json:"agent_path"`
	SendAgent                bool                `json:"send_agent"`
	CreatedAt                time.Time           `json:"created_at"`
	UpdatedAt                time.Time           `json:"updated_at"`
}

type credentialView struct {
	Kind     transfer.CredentialKind `json:"kind"`
	Readable bool                    `json:"readable"` // the API has the key that it was encrypted with, or there is nothing to read
}

func (a *api) viewPortal(p db.Portal) portalView {
	return portalView{
		ID: p.ID, Name: p.Name, Kind: p.Kind, RootPath: p.RootPath, Host: p.Host, Port: p.Port, Username: p.Username,
		HostKey: p.HostKey, HostKeyFingerprints: fingerprints(orEmpty(p.HostKey)),
		Credential:  credentialView{Kind: p.CredentialKind, Readable: p.Credential == nil || a.Credentials.Readable(p)},
		WorkerLabel: p.WorkerLabel, ZipThresholdFiles: p.ZipThresholdFiles, ZipThresholdAvgSizeBytes: p.ZipThresholdAvgSizeBytes,
		MaxConnections: p.MaxConnections, AgentPath: p.AgentPath, SendAgent: p.SendAgent,
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
