package infra_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A flag replaces the variable, so who has set the variable must not be given the flag.
func TestDevUpAllowsWhatTheEnvironmentAllowsToo(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"":                            "flag=--allow-root=/co/dev data roots=",
		"/mnt/nexis:/mnt/two words/*": "flag= roots=/co/dev data:/mnt/nexis:/mnt/two words/*",
	} {
		cmd := exec.CommandContext(t.Context(), "bash", "-euc", `. ./lib.sh; allow_roots "/co/dev data"; echo "flag=$ALLOW_FLAG roots=${KETTER_ALLOWED_ROOTS:-}"`)
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KETTER_ALLOWED_ROOTS=") })
		if given != "" {
			cmd.Env = append(cmd.Env, "KETTER_ALLOWED_ROOTS="+given)
		}
		said, err := cmd.CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(said)), "\n")
		told := len(lines) > 1 && strings.Contains(lines[0], given)
		if err != nil || lines[len(lines)-1] != want || told != (given != "") {
			t.Errorf("%q: %v\n%s", given, err, said)
		}
	}
}
