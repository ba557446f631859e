package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// refused are the blocks whose requests are answered with a failure, and mean to be.
var refused = map[string]string{
	"docs/api.md: curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8000/jobs/1/cancel": "409", // it has ended by then
	"docs/api.md: curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8000/jobs/1/retry":  "409",
	"docs/api.md: curl -i http://127.0.0.1:8000/jobs -H 'Content-Type: application/json' \\ (2)":        "403",
}

// before is what has to be done before a block, because the document tells of it elsewhere.
var before = map[string]string{
	"docs/api.md: curl http://127.0.0.1:8000/jobs -H 'Content-Type: application/json' \\": `
		ketter portals add LAB --kind local --root /data/in --label lab
		ketter portals add SRVTRF --kind sftp --host srvtrf.example --user ketter --root /srv/media --host-key srvtrf.hostkey --key id_srvtrf
	`,
	"docs/api.md: curl -i http://127.0.0.1:8000/portals -H 'Content-Type: application/json' -d @- <<'END'": "ketter portals rm SRVTRF\n",
	"docs/two-hosts.md: export DB_URL='postgres://ketter:PASSWORD@db.example:5432/ketter' REDIS_URL='redis://:PASSWORD@db.example:6379/0'": `
		test -d "/srv/media/archive/Session 01"
		test ! -e "/mnt/media/Session 01"
	`,
}

// after is what a block must have done.
var after = map[string]string{
	"README.md: bin/ketter jobs list":       `diff -r "dev_data/source/Session 01" "dev_data/delivered/mine/Session 01"`,
	"README.pt-BR.md: bin/ketter jobs list": `diff -r "dev_data/source/Session 01" "dev_data/delivered/mine/Session 01"`,
	"docs/two-hosts.md: cd /mnt/media && find \"Session 01\" -type f -print0 | sort -z | xargs -0 sha256sum > /tmp/on-lab        # on LAB": `
		test -s /tmp/on-lab
		cmp /tmp/on-lab /tmp/on-srvtrf
	`,
	"docs/two-hosts.md: export DB_URL='postgres://ketter:PASSWORD@db.example:5432/ketter' REDIS_URL='redis://:PASSWORD@db.example:6379/0'": "curl --retry 10 --retry-connrefused http://127.0.0.1:8000/readyz",
}

// Each document is followed from its beginning to its end, on a Ketter of its own, in a folder that stands for the machine.
func TestEveryBlockOfTheDocumentsRuns(t *testing.T) {
	t.Parallel()
	binary := builtKetter(t)
	for name, content := range documents(t) {
		blocks := slices.DeleteFunc(blocksOf(name, content), func(b block) bool { return !b.isRun() })
		if len(blocks) == 0 {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, binary)
			if filepath.Base(name) == "README.md" || strings.HasPrefix(filepath.Base(name), "README.") {
				m.cancelledJob() // number 1 is the one that infra/dev_up.sh submits
			}
			for _, b := range blocks {
				m.run(b)
				m.settle()
			}
		})
	}
}

// aJob is where a document names a job that it hasn't submitted.
var aJob = regexp.MustCompile(`(jobs cancel |jobs retry |jobs show |/jobs/)(ID|12)\b`)

// script is the block as it is for this machine.
func (m *machine) script(b block) string {
	m.t.Helper()
	text := m.names.Replace(before[b.name()] + b.text + after[b.name()])
	found := aJob.FindStringSubmatch(text)
	if found == nil {
		return text
	}
	job := m.waitingJob()
	if strings.Contains(text, "jobs retry") && !strings.Contains(text, "jobs cancel") {
		job = m.cancelledJob()
	}
	return aJob.ReplaceAllString(text, fmt.Sprintf("${1}%d", job))
}

// waitingJob submits a job that no worker takes.
func (m *machine) waitingJob() int64 {
	m.t.Helper()
	return m.post(map[string]string{"source_path": m.dir + "/data/in/session_042", "destination_path": m.dir + "/data/never",
		"mode": "copy", "queue": "nobody"}).ID
}

func (m *machine) cancelledJob() int64 {
	m.t.Helper()
	id := m.waitingJob()
	if _, said, status := ketter(m.t, "jobs", "cancel", fmt.Sprint(id), "--api", m.url); status != 0 {
		m.t.Fatal(said)
	}
	return id
}

// run runs a block, and looks at what came of it.
func (m *machine) run(b block) {
	m.t.Helper()
	env, text := m.env, m.script(b)
	if strings.Contains(text, "ketter serve") { // beside the one that is there
		env = append(slices.Clone(env), "KETTER_LISTEN="+m.listen)
		text = strings.ReplaceAll(text, m.url, "http://"+m.listen)
	}
	if strings.Contains(text, ".ketter/") {
		m.up()
	}
	said, err := m.shell(env, text)
	var exit *exec.ExitError
	if strings.Contains(text, "ketter dku") && errors.As(err, &exit) && exit.ExitCode() <= 2 {
		err = nil // its verdict is on this machine, and not on the document
	}
	m.t.Logf("%s\n%s\n%s", b.where(), text, said)
	if err != nil {
		m.t.Fatalf("%s: %v", b.where(), err)
	}
	m.answered(b, said)
}

// shell runs a script in a shell of its own, and ends whatever that leaves in the background.
func (m *machine) shell(env []string, text string) (said string, err error) {
	m.t.Helper()
	options := "-eo"
	if strings.Contains(text, "echo $?") { // what is to fail may
		options = "-o"
	}
	out, err := os.Create(filepath.Join(m.t.TempDir(), "said")) // a pipe would stay open in the background
	if err != nil {
		return "", err
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", options, "pipefail", "-c", text)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = m.dir, env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // there may be nothing left
	}
	content, _ := os.ReadFile(out.Name())
	return string(content), err
}

var httpStatus = regexp.MustCompile(`(?m)^HTTP (\d+)$`)

// answered fails the test when a request was refused that wasn't meant to be.
func (m *machine) answered(b block, said string) {
	m.t.Helper()
	for _, status := range httpStatus.FindAllStringSubmatch(said, -1) {
		if !strings.HasPrefix(status[1], "2") && status[1] != refused[b.name()] {
			m.t.Errorf("%s is answered with %s:\n%s", b.where(), status[1], said)
		}
	}
}

// settle waits until each job has ended, or has been tried in vain, or waits for nobody.
func (m *machine) settle() {
	m.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var left int
		err := m.store.Pool().QueryRow(m.t.Context(), `SELECT count(*) FROM jobs j WHERE status IN ('pending', 'running')
			AND queue <> 'nobody' AND NOT EXISTS (SELECT FROM job_events e WHERE e.job_id = j.id AND e.kind = 'retry_scheduled')`).Scan(&left)
		if err != nil {
			m.t.Fatal(err)
		}
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%d jobs come to no end", left)
		}
	}
}
