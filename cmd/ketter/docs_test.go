package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// docsRoot is the checkout, as seen from here.
const docsRoot = "../.."

// block is what stands between ```sh and ``` in a document.
type block struct {
	document string
	line     int
	text     string
	nth      int // of those in the document that begin alike
}

// name is by which the lists of the tests know it: its document and its first line.
func (b block) name() string {
	if b.nth > 1 {
		return fmt.Sprintf("%s: %s (%d)", b.document, b.begins(), b.nth)
	}
	return b.document + ": " + b.begins()
}

func (b block) begins() string {
	first, _, _ := strings.Cut(b.text, "\n")
	return first
}

func (b block) where() string { return fmt.Sprintf("%s:%d", b.document, b.line) }

// documents are all that an operator or a developer reads, by their paths in the checkout.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		paths, err := filepath.Glob(filepath.Join(docsRoot, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if name, _ := filepath.Rel(docsRoot, path); name != "CHANGELOG.md" { // which tells of what was, too
				found[name] = string(content)
			}
		}
	}
	return found
}

// blocksOf finds the blocks of a document, in their order. One in a list is indented as the list is.
func blocksOf(document, content string) (all []block) {
	var open *block
	indent, alike := "", map[string]int{}
	for number, line := range strings.Split(content, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case open == nil && trimmed == "```sh":
			indent = line[:len(line)-len(trimmed)]
			open = &block{document: document, line: number + 2}
		case open != nil && trimmed == "```":
			alike[open.begins()]++
			open.nth = alike[open.begins()]
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		}
	}
	return all
}

func allBlocks(t *testing.T) (all []block) {
	t.Helper()
	for name, content := range documents(t) {
		all = append(all, blocksOf(name, content)...)
	}
	return all
}

// onlyChecked are the blocks that no test can run as they are, and why. Their syntax is checked, and so is each line of ketter's.
var onlyChecked = map[string]string{
	"README.md: infra/dev_up.sh":       "it installs packages, and starts a Ketter in the checkout, to stay",
	"README.pt-BR.md: infra/dev_up.sh": "it installs packages, and starts a Ketter in the checkout, to stay",

	"CONTRIBUTING.md: infra/test.sh              # all that CI checks":                                              "it runs this very test",
	"CONTRIBUTING.md: export KETTER_TEST_DB_URL='postgres://ketter:secret@127.0.0.1:5432/postgres?sslmode=disable'": "CI runs all packages",
	"CONTRIBUTING.md: go tool -modfile=infra/tools/go.mod task --list":                                              "it builds a tool of a hundred modules first",

	"docs/metrics.md: promtool check config infra/prometheus/prometheus.yml": "it needs Prometheus",

	"docs/scale.md: infra/scale.sh            # 1,000,000 jobs and 8,000,000 events; ten minutes, 5 GiB of disk": "it takes ten minutes and 5 GiB",
	"docs/scale.md: infra/bench_jobs.sh                                        # a minute or two":                "it takes minutes",

	"docs/two-hosts.md: install -m 0755 bin/ketter /usr/local/bin/ketter":                                                                      "it makes accounts and system folders, as root",
	"docs/two-hosts.md: su ketter -c 'umask 077; ketter secret-key > /etc/ketter/secret.key'":                                                  "it needs the account that was made before",
	"docs/two-hosts.md: install -m 0755 ketter /usr/local/bin/ketter                # the same binary as on LAB":                               "it sets up an account and sshd on the other host, as root",
	"docs/two-hosts.md: useradd --home-dir /nonexistent --shell /usr/sbin/nologin --password '*' ketter-sftp":                                  "it sets up an account and sshd on the other host, as root",
	"docs/two-hosts.md: export KETTER_WORKER_LABEL=lab KETTER_SECRET_KEY_FILE=/etc/ketter/secret.key":                                          "it stays in the foreground",
	"docs/two-hosts.md: export DB_URL='postgres://ketter:PASSWORD@db.example:5432/ketter' REDIS_URL='redis://:PASSWORD@db.example:6379/0' (2)": "it stays in the foreground",
	"docs/two-hosts.md: ssh -i /etc/ketter/id_srvtrf -o IdentitiesOnly=yes ketter@srvtrf.example":                                              "it is a login, ended by hand",
	"docs/two-hosts.md: getent hosts srvtrf.example                # on LAB: does the name mean anything?":                                     "it looks at a network that isn't there",
	"docs/two-hosts.md: su -s /bin/sh ketter -c 'ketter agent --root /srv/media </dev/null'      # it must answer KETTER-AGENT 2 …":            "it needs the account on the other host",
	"docs/two-hosts.md: findmnt /srv/media                         # on SRVTRF":                                                                "it asks for a mounted volume",
	"docs/two-hosts.md: rm /etc/ssh/sshd_config.d/ketter.conf /etc/ssh/authorized_keys/ketter":                                                 "it takes an account and sshd's settings away, as root",
}

// onlyCheckedDocuments are those none of whose blocks can be run on any machine, and why. What is checked is the same.
var onlyCheckedDocuments = map[string]string{
	"docs/install.md": "it makes accounts, databases and services of the system, as root",
	"docs/compose.md": "it needs Docker",
}

// isRun reports whether a block is followed, and not only checked.
func (b block) isRun() bool {
	return onlyChecked[b.name()] == "" && onlyCheckedDocuments[b.document] == ""
}

// Who adds a command that can't be run here has to say why, and who removes one has to take it from the list.
func TestEveryBlockThatIsNotRunIsKnown(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, b := range allBlocks(t) {
		there[b.name()] = true
	}
	for _, list := range []map[string]string{onlyChecked, refused, before, after} {
		for name := range list {
			if !there[name] {
				t.Errorf("no document has this block any more: %s", name)
			}
		}
	}
}

func TestEveryBlockOfTheDocumentsIsAShellsSyntax(t *testing.T) {
	t.Parallel()
	for _, b := range allBlocks(t) {
		check := exec.CommandContext(t.Context(), "bash", "-n")
		check.Stdin = strings.NewReader(b.text)
		if said, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", b.where(), err, said)
		}
	}
}

// inCode and inBlock find what ketter is asked for, in running text and in a block.
var (
	inCode  = regexp.MustCompile("`(?:[A-Z_]+=\\S+ )*ketter ([a-z][^`]*)`")
	inBlock = regexp.MustCompile(`(?m)(?:^|[;&|(]|-c ['"]|="|=\S+)[ \t]*ketter[ \t]+([a-z][^\n]*)`)
)

func TestEveryKetterOfTheDocumentsIsOneThatThereIs(t *testing.T) {
	t.Parallel()
	for name, content := range documents(t) {
		for _, found := range inCode.FindAllStringSubmatch(content, -1) {
			if err := understood(strings.Join(strings.Fields(found[1]), " ")); err != nil {
				t.Errorf("%s: `ketter %s`: %v", name, found[1], err)
			}
		}
		for _, b := range blocksOf(name, content) {
			for _, found := range inBlock.FindAllStringSubmatch(strings.ReplaceAll(b.text, "\\\n", " "), -1) {
				if err := understood(found[1]); err != nil {
					t.Errorf("%s: ketter %s: %v", b.where(), found[1], err)
				}
			}
		}
	}
}

// inQuotes is one word of a shell's, whatever is in it.
var inQuotes = regexp.MustCompile(`"[^"]*"`)

// understood parses a command line, up to what is the shell's, as ketter would before it does anything.
func understood(line string) error {
	line = inQuotes.ReplaceAllString(line, "quoted")
	if end := strings.IndexAny(line, ";|&<>#\"')"); end >= 0 {
		line = line[:end]
	}
	words := strings.Fields(line)
	for n, word := range words {
		if word == "ID" {
			words[n] = "12"
		}
	}
	root := newRootCommand()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if len(cmd.Flags().Args()) == 0 { // its name alone
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// The check itself must see what it is there for.
func TestAWrongCommandLineIsNotUnderstood(t *testing.T) {
	t.Parallel()
	for line, right := range map[string]bool{
		"transfer --from a --to b --mode copy": true,
		"portals set SRVTRF --label srvtrf":    true,
		"jobs cancel 12 --api http://a:8000":   true,
		"transfer --form a":                    false,
		"portals bogus":                        false,
		"migrate sideways":                     false,
		"jobs cancel twelve":                   false,
		`jobs show 1 --api "a b"`:              true,
		`jobs show 1 "2"`:                      false,
		"bogus":                                false,
	} {
		if err := understood(line); (err == nil) != right {
			t.Errorf("%s: %v", line, err)
		}
	}
}
