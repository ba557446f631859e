package agent

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/failure"
)

// note remembers which epoch a folder was found in.
func (s *Storage) note(found *endpoint.Place, c endpoint.Capabilities) {
	if c.Epoch == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epochs[c.Epoch] = found.Path
}

// sameEpochs asks a first process that follows a lost one whether the host has started anew since, or a volume was mounted
// anew. Then what was acknowledged may be lost, and nothing may be built on it: the Storage fails, and the run with it, so that the next
// one looks at what is there.
func (s *Storage) sameEpochs(c *conn) error {
	s.mu.Lock()
	known := map[string]string{}
	for epoch, path := range s.epochs {
		known[epoch] = path
	}
	s.mu.Unlock()
	for epoch, path := range known {
		now, err := askEpoch(c, path)
		if is, _ := isLost(err); is {
			return err
		}
		if err != nil || now != epoch {
			s.cancel(&failure.Error{Code: failure.PortalUnreachable, Op: "agent",
				Message: "The host has started anew, or its volume was mounted anew, and may have lost what was not yet durable.",
				Err:     errors.Join(fmt.Errorf("%s is in another epoch: %w", path, syscall.ESTALE), err)})
			return s.failed()
		}
	}
	return nil
}

func askEpoch(c *conn, path string) (string, error) {
	q := &encoder{}
	q.text(path)
	answer, err := c.ask(opLocate, q.b, nil)
	if err != nil {
		return "", err
	}
	in := &answer.in
	in.text()
	in.texts()
	in.info()
	found := in.capabilities()
	return found.Epoch, in.err()
}
