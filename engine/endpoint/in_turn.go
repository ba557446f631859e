package endpoint

import "golang.org/x/sync/errgroup"

// InTurn does steps that don't need one another: one after the other up to the first error, or all at once where each would
// cost a round trip.
func InTurn(far bool, steps ...func() error) error {
	if far {
		var group errgroup.Group
		for _, step := range steps {
			group.Go(step)
		}
		return group.Wait()
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
