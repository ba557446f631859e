package client

import (
	"context"
	"net/url"
	"time"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// Portal is what is known of a portal here. Of its credential that is the kind alone.
type Portal struct {
	ID                       int64               `json:"id"`
	Name                     string              `json:"name"`
	Kind                     transfer.PortalKind `json:"kind"`
	RootPath                 string              `json:"root_path"`
	Host                     *string             `json:"host"`
	Port                     *int                `json:"port"`
	Username                 *string             `json:"username"`
	HostKey                  *string             `json:"host_key"`
	HostKeyFingerprints      []string            `json:"host_key_fingerprints"`
	Credential               PortalCredential    `json:"credential"`
	WorkerLabel              *string             `json:"worker_label"`
	ZipThresholdFiles        *int64              `json:"zip_threshold_files"`
	ZipThresholdAvgSizeBytes *int64              `json:"zip_threshold_avg_size_bytes"`
	MaxConnections           int                 `json:"max_connections"`
	AgentPath                *string             `json:"agent_path"`
	SendAgent                bool                `json:"send_agent"`
	CreatedAt                time.Time           `json:"created_at"`
	UpdatedAt                time.Time           `json:"updated_at"`
}

// PortalCredential says what there is, and whether the API has the key that it was encrypted with.
type PortalCredential struct {
	Kind     transfer.CredentialKind `json:"kind"`
	Readable bool                    `json:"readable"`
}

// PortalFields are those of a portal as POST and PUT take them.
type PortalFields map[string]any

// Fields are the portal's for a PUT. The credential is not among them, and so stays as it is.
func (p Portal) Fields() PortalFields {
	return PortalFields{
		"name": p.Name, "kind": p.Kind, "root_path": p.RootPath, "host": p.Host, "port": p.Port, "username": p.Username,
		"host_key": p.HostKey, "worker_label": p.WorkerLabel, "zip_threshold_files": p.ZipThresholdFiles,
		"zip_threshold_avg_size_bytes": p.ZipThresholdAvgSizeBytes, "max_connections": p.MaxConnections,
		"agent_path": p.AgentPath, "send_agent": p.SendAgent,
	}
}

// PortalReport is what a test of a portal has found.
type PortalReport struct {
	OK                bool          `json:"ok"`
	Checks            []PortalCheck `json:"checks"`
	Via               string        `json:"via"`
	LatencySeconds    float64       `json:"latency_seconds"`
	FreeBytes         int64         `json:"free_bytes"`
	ExtensionsMissing []string      `json:"extensions_missing"`
	Tools             []string      `json:"tools"`
}

// PortalCheck is one thing that was tried.
type PortalCheck struct {
	Name    string       `json:"name"`
	OK      bool         `json:"ok"`
	Code    failure.Code `json:"code,omitempty"`
	Message string       `json:"message"`
	Hint    string       `json:"hint,omitempty"`
	Seconds float64      `json:"seconds"`
}

// Portals are all of them, by name.
func (c *Client) Portals(ctx context.Context) ([]Portal, error) {
	var list struct {
		Portals []Portal `json:"portals"`
	}
	err := c.Get(ctx, "/portals", &list)
	return list.Portals, err
}

// Portal returns a portal by its id or name.
func (c *Client) Portal(ctx context.Context, ref string) (portal Portal, err error) {
	err = c.Get(ctx, portalPath(ref), &portal)
	return portal, err
}

// AddPortal makes a portal.
func (c *Client) AddPortal(ctx context.Context, fields PortalFields) (portal Portal, err error) {
	err = c.Post(ctx, "/portals", fields, &portal)
	return portal, err
}

// ChangePortal replaces a portal.
func (c *Client) ChangePortal(ctx context.Context, ref string, fields PortalFields) (portal Portal, err error) {
	err = c.Put(ctx, portalPath(ref), fields, &portal)
	return portal, err
}

// DeletePortal deletes a portal that no unfinished job uses.
func (c *Client) DeletePortal(ctx context.Context, ref string) error {
	return c.Delete(ctx, portalPath(ref))
}

// TestPortal reaches for a portal as a job would.
func (c *Client) TestPortal(ctx context.Context, ref string) (report PortalReport, err error) {
	err = c.Post(ctx, portalPath(ref)+"/test", nil, &report)
	return report, err
}

func portalPath(ref string) string { return "/portals/" + url.PathEscape(ref) }
