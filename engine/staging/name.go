package staging

import (
	"fmt"
	"strings"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/transfer"
)

// suffix ends the name of every staging folder, so that an operator who finds one knows what it is.
const suffix = ".partial"

// Name is the name of a run's staging folder. Dashes within the run's parts are written as underscores, so that they can't
// be taken for those between the parts.
func Name(run transfer.Run) string { return prefix(run) + plain(run.Token) + suffix }

func prefix(run transfer.Run) string {
	return fmt.Sprintf(".ketter-%s-%d-", plain(run.Installation), run.Job)
}

func plain(part string) string { return strings.ReplaceAll(part, "-", "_") }

// OfJob returns the names of all staging folders of run's job in dir, its own included.
func OfJob(dir endpoint.Dir, run transfer.Run) ([]string, error) {
	var names []string
	begin := prefix(run)
	err := dir.List(func(entry endpoint.Entry) error {
		token, ours := strings.CutPrefix(entry.Name, begin)
		token, ends := strings.CutSuffix(token, suffix)
		if ours && ends && entry.Type == endpoint.Folder && !strings.Contains(token, "-") {
			names = append(names, entry.Name)
		}
		return nil
	})
	return names, err
}
