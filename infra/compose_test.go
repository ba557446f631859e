package infra_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/ketter/ketter/infra/tokens"
)

// service is the part of docker-compose.yml that the rules below are about.
type service struct {
	Image       string
	User        string
	Restart     string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	Container   string   `yaml:"container_name"`
	Ports       []string
	Networks    []string
	Command     any
	Environment map[string]string
	Healthcheck struct {
		Test    []string
		Disable bool
	}
}

type composition struct {
	Services map[string]service
	Networks map[string]struct{ Internal bool }
}

// lasting are the four that go on running; the others end by themselves.
var lasting = []string{"api", "postgres", "redis", "worker"}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readComposition(t *testing.T) (composition, string) {
	t.Helper()
	var c composition
	text := readText(t, "docker-compose.yml")
	// What is merged (<<) is allowed to be said anew.
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.AllowDuplicateMapKey()); err != nil {
		t.Fatal(err)
	}
	for _, name := range lasting {
		if c.Services[name].Image == "" {
			t.Fatalf("there is no service %s", name)
		}
	}
	return c, text
}

func TestEveryContainerIsConfined(t *testing.T) {
	t.Parallel()
	c, _ := readComposition(t)
	for name, s := range c.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: read_only %v, cap_drop %v, security_opt %v", name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
		if s.User == "" || s.User == "root" || strings.HasPrefix(s.User, "0") {
			t.Errorf("%s runs as %q", name, s.User)
		}
		if s.Container != "" {
			t.Errorf("%s has the fixed name %s: it can't be scaled, nor run twice on a host", name, s.Container)
		}
	}
}

func TestTheLastingServicesAreWatchedAndRestarted(t *testing.T) {
	t.Parallel()
	c, _ := readComposition(t)
	for name, s := range c.Services {
		lasts := slices.Contains(lasting, name)
		if watched := len(s.Healthcheck.Test) > 1 && !s.Healthcheck.Disable; watched != lasts {
			t.Errorf("%s: a health check: %v", name, watched)
		}
		if restarts := s.Restart == "unless-stopped"; restarts != lasts {
			t.Errorf("%s: restart %q", name, s.Restart)
		}
	}
}

func TestOnlyTheAPIIsPublishedAndOnLoopbackAlone(t *testing.T) {
	t.Parallel()
	c, _ := readComposition(t)
	for name, s := range c.Services {
		if name != "api" && len(s.Ports) > 0 {
			t.Errorf("%s is published: %v", name, s.Ports)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s is published on %s", name, port)
			}
		}
	}
	for _, name := range []string{"postgres", "redis"} {
		for _, network := range c.Services[name].Networks {
			if !c.Networks[network].Internal {
				t.Errorf("%s is in the network %s, which is not internal", name, network)
			}
		}
	}
}

// A secret is an interpolated value that has no default, and stands in no command line.
func TestNoSecretIsWrittenDownOrInACommandLine(t *testing.T) {
	t.Parallel()
	c, text := readComposition(t)
	for name, s := range c.Services {
		for variable, value := range s.Environment {
			if secret := regexp.MustCompile(`PASSWORD|AUTH|SECRET|TOKEN$|_URL$`); secret.MatchString(variable) && !strings.Contains(value, ":?}") {
				t.Errorf("%s: %s is written down: %s", name, variable, value)
			}
		}
		if command, err := yaml.Marshal(s.Command); err != nil || regexp.MustCompile(`(^|[^$])\$\{?\w`).Match(command) {
			t.Errorf("%s: its command line is given a value: %s (%v)", name, command, err)
		}
	}
	for _, reference := range regexp.MustCompile(`\$\{\w*(PASSWORD|SECRET|TOKEN)\w*[^}]*\}`).FindAllString(text, -1) {
		if !strings.Contains(reference, ":?") {
			t.Errorf("%s: without it compose goes on", reference)
		}
	}
}

func TestTheComposeFileNamesOnlyVariablesThatExist(t *testing.T) {
	t.Parallel()
	c, text := readComposition(t)
	known := variables(t)
	for name, s := range c.Services {
		for variable := range s.Environment {
			if strings.HasPrefix(variable, "KETTER_") && !slices.Contains(known, variable) {
				t.Errorf("%s: Ketter knows no %s", name, variable)
			}
		}
	}
	written := regexp.MustCompile(`(?m)^\t\t([A-Z_]+)=`).FindAllStringSubmatch(readText(t, "lib_compose.sh"), -1)
	for _, wanted := range regexp.MustCompile(`\$\{(\w+):\?`).FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(written, func(w []string) bool { return w[1] == wanted[1] }) {
			t.Errorf("dev_up.sh doesn't write %s into .env", wanted[1])
		}
	}
}

const oldDotEnv = "COMPOSE_PROJECT_NAME=k\nKETTER_UID=1\nKETTER_GID=1\nKETTER_PORT=1\nPOSTGRES_PASSWORD=x\nREDIS_PASSWORD=x\nKETTER_SECRET_KEY=x\n"

// makeTokens does what dev_up.sh does, twice, and returns the token of the .env and who may use the API then.
func makeTokens(t *testing.T, dir string) (token string, verifier *tokens.Verifier) {
	t.Helper()
	script := `set -euo pipefail; . ./lib.sh; . ./lib_compose.sh; docker() { return 1; }; is_root() { return 1; }
		ENV_FILE=$1/.env ACCESS=$1/access; make_env; make_tokens; token_is_new=''; make_env; make_tokens; env_value KETTER_API_TOKEN >"$1/token"`
	if said, err := exec.CommandContext(t.Context(), "bash", "-c", script, "bash", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	verifier, err := tokens.NewVerifier(filepath.Join(dir, "access", "tokens"), func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(readText(t, filepath.Join(dir, "token"))), verifier
}

func writeText(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What the script writes without Ketter is what Ketter reads.
func TestTheTokenOfTheDotEnvOpensTheAPI(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]string{"a new one": "", "one from before there were tokens": oldDotEnv} {
		dir := t.TempDir()
		if old != "" {
			writeText(t, filepath.Join(dir, ".env"), old)
		}
		token, verifier := makeTokens(t, dir)
		if who, known := verifier.Name(token); who != "compose" || !known || verifier.Count() != 1 {
			t.Errorf("%s: %q, %v of %d", name, who, known, verifier.Count())
		}
	}
}

func TestTheTokenOfANewDotEnvTakesThePlaceOfTheOneThatIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gone, _ := makeTokens(t, dir)
	ana, err := tokens.Create(t.Context(), filepath.Join(dir, "access", "tokens"), "ana", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, ".env")); err != nil {
		t.Fatal(err)
	}
	token, verifier := makeTokens(t, dir)
	if who, known := verifier.Name(token); who != "compose" || !known {
		t.Errorf("the new one: %q, %v", who, known)
	}
	if who, known := verifier.Name(ana); who != "ana" || !known {
		t.Errorf("another's: %q, %v", who, known)
	}
	if _, known := verifier.Name(gone); known || verifier.Count() != 2 {
		t.Errorf("the one that is gone: %v, of %d", known, verifier.Count())
	}
}

func TestARevokedTokenOfTheDotEnvStaysRevoked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	makeTokens(t, dir)
	if err := tokens.Revoke(t.Context(), filepath.Join(dir, "access", "tokens"), "compose"); err != nil {
		t.Fatal(err)
	}
	token, verifier := makeTokens(t, dir)
	if who, known := verifier.Name(token); known {
		t.Errorf("it is let in, as %q", who)
	}
}

func TestTheDotEnvIsNeitherCommittedNorSentToTheBuild(t *testing.T) {
	t.Parallel()
	for _, ignored := range []struct{ name, line string }{{"../.gitignore", "/infra/.env"}, {"../.dockerignore", "infra/.env"},
		{"../.gitignore", "/infra/access/"}, {"../.dockerignore", "infra/access"}} {
		if !slices.Contains(strings.Split(readText(t, ignored.name), "\n"), ignored.line) {
			t.Errorf("%s has no line %s", ignored.name, ignored.line)
		}
	}
}
