// Package client asks a running Ketter over HTTP. Its types and requests are generated from the contract, httpapi/openapi.yaml; what
// is written by hand makes failures of problems, and bounds what is waited for and read. It stands on the engine's words alone, so that
// whoever uses it needs neither database nor queue.
package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/ketter/ketter/engine/failure"
)

// Unreachable is the code of an API that does not answer, or not as Ketter does.
const Unreachable failure.Code = "api_unreachable"

const (
	deadline  = 30 * time.Second // for a request; the API itself gives up on its database after 10
	maxAnswer = 16 << 20
)

// Client asks one API.
type Client struct {
	base      string
	shown     string // base without a password
	http      http.Client
	generated *Generated

	token    string // empty: none
	insecure bool   // the token may be sent anywhere
}

// New makes a client of the API at base, as http://127.0.0.1:8000.
func New(base string, options ...Option) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil { // which quotes it, password and all
		u = &url.URL{Opaque: "that"}
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &failure.Error{
			Code: failure.InvalidRequest, Message: fmt.Sprintf("%q is not the address of an API", u.Redacted()),
			Hint: "Write it as http://127.0.0.1:8000.",
		}
	}
	c := &Client{base: strings.TrimRight(base, "/"), shown: strings.TrimRight(u.Redacted(), "/"), http: http.Client{
		Timeout: deadline,
		// Ketter never redirects these; who does is somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, option := range options {
		option(c)
	}
	if err := c.keepsToken(u); err != nil {
		return nil, err
	}
	c.generated, err = NewClient(c.base, WithHTTPClient(&c.http), WithRequestEditorFn(c.bringToken))
	return c, err
}

// Base is the address to reach who listens at address, as 127.0.0.1:8000 or :8000.
func Base(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "http://" + address
	}
	switch ip, _ := netip.ParseAddr(host); {
	case host == "", ip == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case ip == netip.IPv6Unspecified():
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Get asks for path and decodes the answer. An answer that reports an error is a *failure.Error with its code; any other is
// decoded whatever its status, for /readyz says what it has to say with a 503.
func (c *Client) Get(ctx context.Context, path string, answer any) error {
	return c.ask(ctx, answer, func() (*http.Response, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
		if err != nil {
			return nil, err
		}
		if err := c.bringToken(ctx, request); err != nil {
			return nil, err
		}
		return c.http.Do(request)
	})
}

// asked is ask for an answer of one type.
func asked[T any](ctx context.Context, c *Client, send func() (*http.Response, error)) (answer T, err error) {
	err = c.ask(ctx, &answer, send) // not in the return: whether answer is read before or after the call is the compiler's choice
	return answer, err
}

func (c *Client) ask(ctx context.Context, answer any, send func() (*http.Response, error)) error {
	response, err := send()
	if err != nil {
		return c.unreachable(ctx, "does not answer", err)
	}
	defer response.Body.Close()
	received, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return c.unreachable(ctx, "broke off its answer", err)
	}
	if len(received) == maxAnswer {
		return &failure.Error{Code: Unreachable, Message: fmt.Sprintf("%s answers with more than %d MiB", c.shown, maxAnswer>>20),
			Hint: "Jobs with very long paths make such pages: ask for fewer at once, as with --limit 10."}
	}
	return c.decode(response, received, answer)
}

func (c *Client) decode(response *http.Response, received []byte, answer any) error {
	if answer == nil && response.StatusCode == http.StatusNoContent {
		return nil
	}
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if mediaType == "application/problem+json" {
		var p Problem
		if json.Unmarshal(received, &p) == nil && p.Code != "" {
			return &failure.Error{Code: p.Code, Message: p.Detail, Hint: p.Hint, Path: p.Path}
		}
	}
	if mediaType != "application/json" || json.Unmarshal(received, answer) != nil {
		return c.failed(fmt.Sprintf("%s does not answer as Ketter does (%s)", c.shown, response.Status), nil)
	}
	return nil
}

func (c *Client) unreachable(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil { // the caller gave up
		return fmt.Errorf("asking %s: %w", c.shown, ctx.Err())
	}
	var distrusted *tls.CertificateVerificationError
	if errors.As(err, &distrusted) {
		return &failure.Error{Code: Unreachable, Message: fmt.Sprintf("%s shows a certificate that is not trusted: %v", c.shown, distrusted.Err), Err: err,
			Hint: "Ask for it by a name that the certificate is for. One that the system doesn't trust is trusted when KETTER_API_CA names its file, or that of who has signed it."}
	}
	return c.failed(fmt.Sprintf("%s %s: %v", c.shown, what, err), err)
}

func (c *Client) failed(sentence string, err error) error {
	return &failure.Error{
		Code: Unreachable, Message: sentence, Err: err,
		Hint: "Is it running (`ketter up`, or `ketter serve`), and is this its address?",
	}
}
