package agent

import (
	"testing"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/endpointtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	p := newPool(t, &memory{t: t}, Options{})
	endpointtest.Run(t, func(t *testing.T) endpoint.Dir {
		_, dir := openAt(t, p, t.TempDir())
		return dir
	})
}
