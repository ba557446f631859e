package shelltools

import (
	"context"

	"github.com/ketter/ketter/engine/endpoint"
)

// zipWriter is an endpoint.BulkWriter.
type zipWriter struct{ f *folder }

func (zipWriter) WriteLimits() endpoint.BulkLimits { return limits }

func (w zipWriter) WriteAll(ctx context.Context, items []endpoint.Item, sync bool) error { return nil }
