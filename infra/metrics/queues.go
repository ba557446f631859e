package metrics

import "slices"

// MostQueues is how many queues have figures of their own, as long as a process lives. Who may submit a job may think of a
// new queue each time; what has no place any more is summed up as "other".
const MostQueues = 50

// queues are those that have a place: the first ones there were. They keep it, so that their figures go to zero instead of
// ending, and so that no two scrapes together tell of more.
type queues struct{ names []string }

func newQueues(names []string) *queues {
	q := &queues{}
	for _, name := range names {
		q.admit(name)
	}
	return q
}

// admit gives a queue a place if there is one, and returns its label. A queue that is called other is one of these.
func (q *queues) admit(name string) string {
	switch {
	case slices.Contains(q.names, name):
		return name
	case name == "" || name == other || len(q.names) == MostQueues:
		return other
	}
	q.names = append(q.names, name)
	return name
}

// labels are those of all figures by queue.
func (q *queues) labels() []string { return append(slices.Clone(q.names), other) }
