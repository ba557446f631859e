package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// PortalFields are those of a portal as POST and PUT take them, by their names: what isn't there is left out, and that is not the
// same as null.
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

// body encodes the fields.
func (f PortalFields) body() (io.Reader, error) {
	encoded, err := json.Marshal(f)
	return bytes.NewReader(encoded), err
}

const asJSON = "application/json"

// Portals are all of them, by name.
func (c *Client) Portals(ctx context.Context) ([]Portal, error) {
	list, err := asked[PortalList](ctx, c, func() (*http.Response, error) { return c.generated.ListPortals(ctx) })
	return list.Portals, err
}

// Portal returns a portal by its id or name.
func (c *Client) Portal(ctx context.Context, ref string) (Portal, error) {
	return asked[Portal](ctx, c, func() (*http.Response, error) { return c.generated.GetPortal(ctx, ref) })
}

// AddPortal makes a portal.
func (c *Client) AddPortal(ctx context.Context, fields PortalFields) (Portal, error) {
	body, err := fields.body()
	if err != nil {
		return Portal{}, err
	}
	return asked[Portal](ctx, c, func() (*http.Response, error) { return c.generated.CreatePortalWithBody(ctx, asJSON, body) })
}

// ChangePortal replaces a portal.
func (c *Client) ChangePortal(ctx context.Context, ref string, fields PortalFields) (Portal, error) {
	body, err := fields.body()
	if err != nil {
		return Portal{}, err
	}
	return asked[Portal](ctx, c, func() (*http.Response, error) { return c.generated.ReplacePortalWithBody(ctx, ref, asJSON, body) })
}

// DeletePortal deletes a portal that no unfinished job uses.
func (c *Client) DeletePortal(ctx context.Context, ref string) error {
	return c.ask(ctx, nil, func() (*http.Response, error) { return c.generated.DeletePortal(ctx, ref) })
}

// TestPortal reaches for a portal as a job would.
func (c *Client) TestPortal(ctx context.Context, ref string) (PortalReport, error) {
	return asked[PortalReport](ctx, c, func() (*http.Response, error) { return c.generated.TestPortal(ctx, ref, Nothing{}) })
}
