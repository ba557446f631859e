package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ketter/ketter/db"
	"github.com/ketter/ketter/infra/testdb"
	"github.com/ketter/ketter/infra/testsshd"
)

// TestMain is ketter itself when it is called so: the documents' commands find it on their PATH under that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "ketter" {
		main()
		return
	}
	os.Exit(m.Run())
}

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
	"README.md: curl http://127.0.0.1:8000/jobs/2/detail":       `diff -r "dev_data/source/Session 01" "dev_data/delivered/mine/Session 01"`,
	"README.pt-BR.md: curl http://127.0.0.1:8000/jobs/2/detail": `diff -r "dev_data/source/Session 01" "dev_data/delivered/mine/Session 01"`,
	"docs/two-hosts.md: cd /mnt/media && find \"Session 01\" -type f -print0 | sort -z | xargs -0 sha256sum > /tmp/on-lab        # on LAB": `
		test -s /tmp/on-lab
		cmp /tmp/on-lab /tmp/on-srvtrf
	`,
}

// Each document is followed from its beginning to its end, on a Ketter of its own, in a folder that stands for the machine.
func TestEveryBlockOfTheDocumentsRuns(t *testing.T) {
	t.Parallel()
	for name, content := range documents(t) {
		blocks := slices.DeleteFunc(blocksOf(name, content), func(b block) bool { return onlyChecked[b.name()] != "" })
		if len(blocks) == 0 {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
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

// machine stands for the hosts of the documents: a Ketter, a folder instead of /, and what the documents take for granted there.
type machine struct {
	site
	store  *db.Store
	dir    string
	env    []string
	far    *testsshd.Server
	names  *strings.Replacer
	listen string // a free address, for a second API
	upDir  string // the state of a `ketter up`, once there is one
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	store, databaseURL := testdb.New(t)
	redis := "redis://" + miniredis.RunT(t).Addr()
	secret := filepath.Join(t.TempDir(), "secret.key")
	key, _, _ := ketter(t, "secret-key")
	writeFile(t, secret, key)
	m := &machine{store: store, listen: freeAddress(t)}
	m.site = setup(t, databaseURL, redis, "KETTER_SECRET_KEY_FILE="+secret, "KETTER_WORKER_LABEL=lab", "KETTER_SOFT_STOP=1s")
	m.dir = m.root
	bin := filepath.Join(m.dir, "bin")
	m.far = testsshd.Start(t, testsshd.Options{Environment: []string{"PATH=" + bin + ":/usr/bin:/bin"}})
	m.env = []string{"HOME=" + m.dir, "DB_URL=" + databaseURL, "REDIS_URL=" + redis, "KETTER_SECRET_KEY_FILE=" + secret,
		"KETTER_ALLOWED_ROOTS=" + m.dir, "KETTER_LISTEN=" + strings.TrimPrefix(m.url, "http://"), "KETTER_SOFT_STOP=1s",
		"PATH=" + strings.Join(append([]string{bin, os.Getenv("PATH")}, postgresBins()...), ":")}
	m.furnish(bin)
	m.names = m.replacer(databaseURL, redis)
	return m
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// postgresBins is where packages put pg_dump, if not on PATH.
func postgresBins() (found []string) {
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin"} {
		here, _ := filepath.Glob(pattern)
		found = append(found, here...)
	}
	return found
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// furnish makes the folders, files and commands that the documents begin with.
func (m *machine) furnish(bin string) {
	m.t.Helper()
	for _, folder := range []string{"bin", "data/out", "mnt/media", "mnt/nas", "srv/media/delivered", "etc/ketter", "tmp", "var/backups"} {
		if err := os.MkdirAll(filepath.Join(m.dir, folder), 0o755); err != nil {
			m.t.Fatal(err)
		}
	}
	for _, folder := range []string{"data/in/session_042", "dev_data/source/Session 01", "mnt/media/Session 01", "mnt/card/A001"} {
		makeFolder(m.t, filepath.Join(m.dir, folder), 3)
	}
	for _, folder := range []string{".", "etc/ketter"} {
		writeFile(m.t, filepath.Join(m.dir, folder, "id_srvtrf"), m.far.Key)
		writeFile(m.t, filepath.Join(m.dir, folder, "srvtrf.hostkey"), m.far.HostKey+"\n")
	}
	writeFile(m.t, filepath.Join(m.dir, "etc/ssh/ssh_host_ed25519_key.pub"), m.far.HostKey+"\n")
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(bin, "ketter"))
	}
	if err != nil {
		m.t.Fatal(err)
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		m.t.Fatal("this test needs curl")
	}
	// It says what it was answered, for the test to see.
	writeFile(m.t, filepath.Join(bin, "curl"), "#!/bin/sh\nexec "+curl+` --max-time 60 -sS -w '%{stderr}\nHTTP %{http_code}\n' "$@"`+"\n")
	if err := os.Chmod(filepath.Join(bin, "curl"), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// replacer puts this machine's names in the place of the documents'.
func (m *machine) replacer(databaseURL, redis string) *strings.Replacer {
	m.t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		m.t.Fatal(err)
	}
	server := *u
	server.Path = "/postgres"
	restored := *u
	restored.Path += "_restored"
	m.t.Cleanup(func() { // the tests' server is not this test's alone
		statement := "DROP DATABASE IF EXISTS " + strings.TrimPrefix(restored.Path, "/") + " WITH (FORCE)"
		if _, err := m.store.Pool().Exec(context.Background(), statement); err != nil {
			m.t.Error(err)
		}
	})
	_, port, _ := net.SplitHostPort(fmt.Sprintf("127.0.0.1:%d", m.far.Port))
	pairs := []string{
		"http://127.0.0.1:8000", m.url, "bin/ketter", "ketter",
		"postgres://ketter:PASSWORD@db.example:5432/ketter_restored", restored.String(),
		"postgres://ketter:PASSWORD@db.example:5432/postgres", server.String(),
		"postgres://ketter:PASSWORD@db.example:5432/ketter", databaseURL,
		"redis://:PASSWORD@db.example:6379/0", redis,
		"ketter_restored", strings.TrimPrefix(restored.Path, "/"),
		"--host srvtrf.example", "--host 127.0.0.1 --port " + port, "--user ketter ", "--user " + m.far.User + " ",
		`"host": "srvtrf.example"`, `"host": "127.0.0.1", "port": ` + port, "srvtrf.example", "127.0.0.1:" + port,
		"chown -R ketter:", "true", "/tmp/on-", m.dir + "/tmp/on-",
	}
	for _, folder := range []string{"/data/", "/mnt/", "/srv/", "/etc/ketter/", "/etc/ssh/", "/var/"} {
		pairs = append(pairs, folder, m.dir+folder)
	}
	return strings.NewReplacer(pairs...)
}

// aJob is where a document names a job that it hasn't submitted.
var aJob = regexp.MustCompile(`(jobs cancel |jobs retry |/jobs/)(ID|12)\b`)

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

// run runs a block in a shell of its own, and ends whatever it has left in the background.
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
	options := "-eo"
	if strings.Contains(text, "echo $?") { // what is to fail may
		options = "-o"
	}
	out, err := os.Create(filepath.Join(m.t.TempDir(), "said"))
	if err != nil {
		m.t.Fatal(err)
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
	said, _ := os.ReadFile(out.Name())
	if err != nil {
		m.t.Fatalf("%s: %v\n%s\n%s", b.where(), err, text, said)
	}
	m.t.Logf("%s\n%s\n%s", b.where(), text, said)
	m.answered(b, string(said))
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

// up starts a `ketter up` with its state in .ketter, where PostgreSQL's user can get to.
func (m *machine) up() {
	m.t.Helper()
	if m.upDir != "" {
		return
	}
	var err error
	if m.upDir, err = os.MkdirTemp("", "ketter-docs"); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = os.RemoveAll(m.upDir) })
	log, err := os.Create(filepath.Join(m.dir, "up.log"))
	if err == nil {
		err = os.Chmod(m.upDir, 0o755)
	}
	if err == nil {
		err = os.Symlink(m.upDir, filepath.Join(m.dir, ".ketter"))
	}
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(m.t.Context()), filepath.Join(m.dir, "bin/ketter"), "up", "--listen", "127.0.0.1:0", "--state-dir", m.upDir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = m.dir, log, log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // its log tells how it ended
		_ = log.Close()
	})
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		said, _ := os.ReadFile(log.Name())
		if strings.Contains(string(said), "is up.") {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("ketter up doesn't come up:\n%s", said)
		}
	}
}
