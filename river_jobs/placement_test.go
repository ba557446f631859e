package riverjobs

import (
	"strings"
	"testing"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
)

func TestQueuesAreHosts(t *testing.T) {
	t.Parallel()
	portal := func(name string, kind transfer.PortalKind, label string) *db.Portal {
		p := &db.Portal{Name: name, Kind: kind, RootPath: "/r"}
		if label != "" {
			p.WorkerLabel = &label
		}
		return p
	}
	const local, sftp = transfer.LocalPortal, transfer.SFTPPortal
	for _, test := range []struct {
		name                string
		asked               string
		source, destination *db.Portal
		queue               string
		says                []string // of a refusal
	}{
		{name: "paths alone", queue: "default"},
		{name: "paths in a queue", asked: "nexis", queue: "nexis"},
		{name: "a local source goes first", source: portal("A", local, "lab"), queue: "lab"},
		{name: "a local destination", destination: portal("B", local, "srv"), queue: "srv"},
		{name: "a raw path is the labelled worker's", source: nil, destination: portal("B", sftp, "srv"), queue: "srv"},
		{name: "the source's label before the destination's", source: portal("A", local, "lab"), destination: portal("B", sftp, "srv"), queue: "lab"},
		{name: "both have SSH", source: portal("A", sftp, "lab"), destination: portal("B", sftp, "srv"), queue: "lab"},
		{name: "only the source has SSH", source: portal("A", sftp, "lab"), destination: portal("B", local, "srv"), queue: "srv"},
		{name: "both on one host", source: portal("A", local, "lab"), destination: portal("B", local, "lab"), queue: "lab"},
		{name: "SSH from anywhere", source: portal("A", sftp, ""), destination: portal("B", sftp, ""), queue: "default"},
		{name: "SSH and a label", source: portal("A", sftp, ""), destination: portal("B", local, "srv"), queue: "srv"},
		{name: "a local path of every worker", source: portal("A", local, ""), destination: portal("B", sftp, ""), queue: "default"},
		{name: "a local path of every worker, and one of some", source: portal("A", local, ""), destination: portal("B", local, "srv"), queue: "srv"},
		{name: "no SSH between them", source: portal("A", local, "lab"), destination: portal("B", local, "srv"),
			says: []string{"Portal A", "lab", "portal B", "srv", "no SSH between them"}},
		{name: "a queue that is the label", asked: "lab", source: portal("A", local, "lab"), queue: "lab"},
		{name: "a queue that contradicts the source", asked: "nexis", source: portal("A", local, "lab"), says: []string{"nexis", "portal A", "lab"}},
		{name: "a queue that contradicts the destination", asked: "lab", source: portal("A", local, "lab"), destination: portal("B", local, "srv"),
			says: []string{"lab", "portal B", "srv"}},
		{name: "a queue that reaches by SSH", asked: "nexis", source: portal("A", sftp, "lab"), destination: portal("B", sftp, "srv"), queue: "nexis"},
	} {
		queue, err := place(test.asked, sides{test.source, test.destination})
		if queue != test.queue || (err != nil) != (test.says != nil) {
			t.Errorf("%s: %q, %v", test.name, queue, err)
		}
		for _, word := range test.says {
			if f := failure.From(err); f.Code != failure.InvalidRequest || !strings.Contains(f.Message, word) || !strings.Contains(f.Hint, "host, username and host_key") {
				t.Errorf("%s: %v (%s) doesn't say %s", test.name, err, f.Hint, word)
			}
		}
	}
}
