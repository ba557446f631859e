package client

import (
	"context"
	"io"
	"mime"
	"net/http"
)

// open asks and leaves the answer's body to the caller, who bounds it in size and time. Anything else than what it
// accepts, or nothing at all (204), is an error.
func (c *Client) open(ctx context.Context, request *http.Request, accept string) (*http.Response, error) {
	request = request.WithContext(ctx)
	request.Header.Set("Accept", accept)
	if err := c.bringToken(ctx, request); err != nil {
		return nil, err
	}
	patient := c.http
	patient.Timeout = 0 // which would count for the body, too
	response, err := patient.Do(request)
	if err != nil {
		return nil, c.unreachable(ctx, "does not answer", err)
	}
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if response.StatusCode == http.StatusNoContent || response.StatusCode == http.StatusOK && mediaType == accept {
		return response, nil
	}
	defer response.Body.Close()
	received, err := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	if err != nil {
		return nil, c.unreachable(ctx, "broke off its answer", err)
	}
	return nil, c.decode(response, received, new(noAnswer))
}

const maxProblem = 1 << 20

// noAnswer takes no JSON, so that an answer that isn't what was accepted is none of Ketter's.
type noAnswer struct{}

func (*noAnswer) UnmarshalJSON([]byte) error { return http.ErrNotSupported }

// Address is where the client asks, fit to be shown.
func (c *Client) Address() string { return c.shown }
