// Package config is what the environment may say: every variable is listed once, in variables.go, with its default and
// what it is for. It reads the environment it is given and nothing else.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config is the environment, read and checked.
type Config struct {
	DBURL        string
	RedisURL     string
	Listen       string
	AllowedRoots []string // absolute and clean
	StateDir     string
	PGBinDir     string

	ZipThresholdFiles   int64
	ZipThresholdAvgSize int64 // bytes
	TmpDir              string
	Parallel            int // files in flight; 0 derives it from the cores

	WorkerName   string
	WorkerLabel  string   // empty: none
	Queues       []string // the label's among them
	Concurrency  int
	SoftStop     time.Duration
	Lease        time.Duration
	Beat         time.Duration
	MaxTakeovers int
	KeepJobs     time.Duration // 0: for ever
	KeepEvents   time.Duration // 0: as long as the jobs

	LogLevel      string
	LogFormat     string
	MetricsListen string // empty: nowhere

	SecretKey     Secret
	SecretKeyFile string

	APITokensFile string   // empty: nobody is asked who he is
	APIHosts      []string // in lower case
	TLSCert       string   // empty: no TLS
	TLSKey        string

	// Of who asks the API.
	APIToken     Secret
	APITokenFile string
	APICA        string
	APIInsecure  bool
}

// Secret is a text that never shows itself; whoever needs it converts it.
type Secret string

// Format says whether there is one, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, veil(string(s))) }

// MarshalText is Format's for encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(veil(string(s))), nil }

// Setting is a variable and the value in force.
type Setting struct {
	Name, Value, Default, Description string
	FromEnvironment                   bool
	secret                            bool
}

// Load reads the environment, given as os.Environ gives it. The error names the variable and says what it may be.
func Load(environ []string) (Config, []Setting, error) {
	env := make(map[string]string, len(environ))
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	var c Config
	var settings []Setting
	for _, v := range variables(&c) {
		value, set := env[v.name]
		set = set && value != ""
		if !set {
			value = v.standard
		}
		if err := v.read(value); err != nil {
			return Config{}, nil, fmt.Errorf("%s=%q: %w", v.name, shown(v, value), err)
		}
		settings = append(settings, Setting{
			Name: v.name, Value: shown(v, value), Default: v.standard, Description: v.description,
			FromEnvironment: set, secret: v.secret,
		})
	}
	c.Queues = WithLabel(c.Queues, c.WorkerLabel)
	if err := c.check(); err != nil {
		return Config{}, nil, err
	}
	return c, settings, nil
}

// check looks at what no variable can say alone.
func (c Config) check() error {
	switch {
	case c.SecretKey != "" && c.SecretKeyFile != "":
		return errors.New("KETTER_SECRET_KEY and KETTER_SECRET_KEY_FILE are both set: which one counts? Leave one out")
	case c.APIToken != "" && c.APITokenFile != "":
		return errors.New("KETTER_API_TOKEN and KETTER_API_TOKEN_FILE are both set: which one counts? Leave one out")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("KETTER_TLS_CERT and KETTER_TLS_KEY belong together: set both, or none")
	case c.Lease < 3*c.Beat:
		return fmt.Errorf("KETTER_LEASE (%s) must be at least three times KETTER_BEAT (%s)", c.Lease, c.Beat)
	}
	return nil
}

// Unknown returns the KETTER_ variables of the environment that Ketter does not know: most likely typing errors.
func Unknown(environ []string) []string {
	known := []string{"KETTER_TEST_DB_URL"} // the tests' own
	for _, v := range variables(new(Config)) {
		known = append(known, v.name)
	}
	var unknown []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "KETTER_") && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// Markdown is docs/configuration.md's table.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| variable | default | what it is for |\n|---|---|---|\n")
	for _, v := range variables(new(Config)) {
		standard := "none"
		if v.standard != "" {
			standard = "`" + v.standard + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.name, standard, v.description)
	}
	return b.String()
}

// Roots makes absolute, clean roots, each once, of a list as KETTER_ALLOWED_ROOTS holds it.
func Roots(list string) ([]string, error) {
	var roots []string
	for _, root := range filepath.SplitList(list) {
		if root == "" {
			continue
		}
		if !filepath.IsAbs(root) {
			return nil, fmt.Errorf("%q is not an absolute path", root)
		}
		if root = filepath.Clean(root); !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	return roots, nil
}

// Queues makes the names of queues of a list as KETTER_QUEUES holds it.
func Queues(list string) ([]string, error) {
	var queues []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); !isQueue(name) {
			return nil, fmt.Errorf("%q is not a queue's name: lower-case letters and digits, and single - or _ between them", name)
		}
		if !slices.Contains(queues, name) {
			queues = append(queues, name)
		}
	}
	return queues, nil
}

// WithLabel adds a worker's label to the queues whose jobs it runs: queues are hosts.
func WithLabel(queues []string, label string) []string {
	if label == "" || slices.Contains(queues, label) {
		return queues
	}
	return append(slices.Clone(queues), label)
}

var queueName = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)

func isQueue(name string) bool { return len(name) <= 64 && queueName.MatchString(name) }

func defaultWorkerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}
