package riverjobs

import (
	"fmt"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

// sides are the portals of a job; nil: a path that whoever runs the job sees.
type sides struct{ source, destination *db.Portal }

// place chooses the queue of a job, for queues are hosts: the one that was asked for, else that of its source's label, else its
// destination's, else the standard one. It fails where no host can reach both sides.
func place(asked string, of sides) (string, error) {
	if asked != "" {
		if portal := of.unreachableFrom(asked); portal != nil {
			return "", refuse(portal, fmt.Sprintf("The queue %s was asked for, but portal %s is a local path of the workers labelled %s, and has no SSH for others",
				asked, portal.Name, *portal.WorkerLabel))
		}
		return asked, nil
	}
	candidates := of.labels()
	if len(candidates) == 0 {
		return transfer.DefaultQueue, nil
	}
	for _, queue := range candidates {
		if of.unreachableFrom(queue) == nil {
			return queue, nil
		}
	}
	return "", refuse(of.destination, fmt.Sprintf("Portal %s is a local path of the workers labelled %s, portal %s one of those labelled %s, and there is no SSH between them",
		of.source.Name, *of.source.WorkerLabel, of.destination.Name, *of.destination.WorkerLabel))
}

// labels are those of the source and the destination, in this order.
func (s sides) labels() (labels []string) {
	for _, portal := range []*db.Portal{s.source, s.destination} {
		if portal != nil && portal.WorkerLabel != nil {
			labels = append(labels, *portal.WorkerLabel)
		}
	}
	return labels
}

// unreachableFrom returns a portal that the workers of a queue can't reach: a local path of others.
func (s sides) unreachableFrom(queue string) *db.Portal {
	for _, portal := range []*db.Portal{s.source, s.destination} {
		if portal != nil && portal.Kind == transfer.LocalPortal && portal.WorkerLabel != nil && *portal.WorkerLabel != queue {
			return portal
		}
	}
	return nil
}

func refuse(portal *db.Portal, sentence string) error {
	return &failure.Error{
		Code: failure.InvalidRequest, Message: sentence,
		Hint: fmt.Sprintf("Make portal %s one of kind sftp, with host, username and host_key; it keeps its label, and its own workers go on using the local path.",
			portal.Name),
	}
}
