package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/ketter/ketter/engine/failure"
)

// Option is something about how the API is asked.
type Option func(*Client)

// WithToken sends a token with each request. By http it goes to loopback alone: elsewhere New fails.
func WithToken(token string) Option { return func(c *Client) { c.token = token } }

// Insecurely lets the token go by http to any host.
func Insecurely() Option { return func(c *Client) { c.insecure = true } }

// WithTLS says whom to believe, and to be whom.
func WithTLS(config *tls.Config) Option {
	return func(c *Client) {
		transport := http.DefaultTransport.(*http.Transport).Clone() // nothing of ours replaces it
		transport.TLSClientConfig = config
		c.http.Transport = transport
	}
}

// keepsToken fails where the token would be sent for others to read.
func (c *Client) keepsToken(base *url.URL) error {
	if c.token == "" || c.insecure || base.Scheme == "https" || IsLoopback(base.Hostname()) {
		return nil
	}
	return &failure.Error{
		Code: failure.InvalidRequest, Message: fmt.Sprintf("The token is not sent to %s, for without TLS anybody in between could take it", c.shown),
		Hint: "Ask by https://, or on the API's own host; KETTER_API_INSECURE=1 allows it, for networks that you trust.",
	}
}

// bringToken is a RequestEditorFn.
func (c *Client) bringToken(_ context.Context, request *http.Request) error {
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return nil
}

// IsLoopback reports whether a host is this one, seen from nowhere else.
func IsLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}
