package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	c, settings, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8000" || c.ZipThresholdFiles != 1000 || c.ZipThresholdAvgSize != 4194304 || c.Lease != 10*time.Second {
		t.Errorf("unexpected defaults: %+v", c)
	}
	if len(settings) != len(variables(&c)) {
		t.Errorf("%d settings of %d variables", len(settings), len(variables(&c)))
	}
}

func TestAMistakeNamesItsVariable(t *testing.T) {
	t.Parallel()
	for _, pair := range []string{
		"DB_URL=mysql://x", "REDIS_URL=localhost:6379", "KETTER_LISTEN=8000", "KETTER_ALLOWED_ROOTS=/a:relative",
		"KETTER_ZIP_THRESHOLD_FILES=many", "KETTER_ZIP_THRESHOLD_AVG_SIZE_BYTES=-1", "KETTER_TMP_DIR=tmp", "KETTER_CONCURRENCY=0",
		"KETTER_PARALLEL=99999999999999999999", "KETTER_SOFT_STOP=10", "KETTER_LEASE=-1s", "KETTER_BEAT=9s",
		"KETTER_METRICS_LISTEN=:9464", "KETTER_METRICS_LISTEN=0.0.0.0:9464", "KETTER_METRICS_LISTEN=10.0.0.7:9464",
		"KETTER_METRICS_LISTEN=worker.example:9464", "KETTER_METRICS_LISTEN=127.0.0.1", "KETTER_LOG_LEVEL=loud", "KETTER_LOG_FORMAT=xml", "PG_BINDIR=bin", "KETTER_QUEUES=default,,lab", "KETTER_QUEUES=Lab",
		"KETTER_QUEUES=a--b", "KETTER_MAX_TAKEOVERS=-1", "KETTER_KEEP_JOBS=30", "KETTER_KEEP_JOBS=10m", "KETTER_KEEP_EVENTS=-1d",
		"KETTER_KEEP_EVENTS=99999999999d",
		"KETTER_WORKER_LABEL=Lab", "KETTER_WORKER_LABEL=a,b", "KETTER_SECRET_KEY_FILE=key",
		"KETTER_API_TOKENS_FILE=tokens", "KETTER_API_HOSTS=http://ketter", "KETTER_API_HOSTS=a,b:8000", "KETTER_TLS_CERT=/cert", "KETTER_TLS_KEY=/key",
		"KETTER_API_TOKEN_FILE=token", "KETTER_API_CA=ca.pem", "KETTER_API_INSECURE=yes",
	} {
		name, _, _ := strings.Cut(pair, "=")
		if _, _, err := Load([]string{pair}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", pair, err)
		}
	}
}

func TestARootThatIsListedTwiceIsOne(t *testing.T) {
	t.Parallel()
	if roots, err := Roots("/mnt/a:/mnt/b:/mnt/a/:"); err != nil || !slices.Equal(roots, []string{"/mnt/a", "/mnt/b"}) {
		t.Errorf("%v, %v", roots, err)
	}
}

func TestQueuesAndAges(t *testing.T) {
	t.Parallel()
	c, _, err := Load([]string{"KETTER_QUEUES=default, lab,default", "KETTER_KEEP_JOBS=90d", "KETTER_KEEP_EVENTS=36h"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Queues, []string{"default", "lab"}) || c.KeepJobs != 90*24*time.Hour || c.KeepEvents != 36*time.Hour {
		t.Errorf("%v %v %v", c.Queues, c.KeepJobs, c.KeepEvents)
	}
}

func TestAWorkerRunsTheJobsOfItsLabel(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{
		"KETTER_WORKER_LABEL=lab": "default lab", "KETTER_WORKER_LABEL=lab KETTER_QUEUES=lab,x": "lab x", "KETTER_WORKER_LABEL=": "default",
	} {
		c, _, err := Load(strings.Fields(environ))
		if err != nil || strings.Join(c.Queues, " ") != want {
			t.Errorf("%s: %v, %v", environ, c.Queues, err)
		}
	}
}

func TestASecretKeyIsNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, value := range []string{secret, "//" + secret + "/a", "x://" + secret, secret + "," + secret} {
		c, settings, err := Load([]string{"KETTER_SECRET_KEY=" + value})
		if err != nil || string(c.SecretKey) != value {
			t.Errorf("%v", err)
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, told := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", c, c, c, c.SecretKey, c.SecretKey, c.SecretKey), string(written), fmt.Sprint(settings)} {
			if strings.Contains(told, secret) || !strings.Contains(told, "(set)") {
				t.Errorf("%s is shown: %s", value, told)
			}
		}
	}
	_, _, err := Load([]string{"KETTER_SECRET_KEY=" + secret, "KETTER_SECRET_KEY_FILE=/key"})
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("two ways to say it: %v", err)
	}
}

func TestATokenIsNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "ketter_0123456789"
	c, settings, err := Load([]string{"KETTER_API_TOKEN=" + secret})
	if err != nil || string(c.APIToken) != secret {
		t.Errorf("%v", err)
	}
	if told := fmt.Sprintf("%v %+v %#v %v", c, c, c, settings); strings.Contains(told, secret) || !strings.Contains(told, "(set)") {
		t.Errorf("it is shown: %s", told)
	}
	if _, _, err := Load([]string{"KETTER_API_TOKEN=" + secret, "KETTER_API_TOKEN_FILE=/token"}); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("two ways to say it: %v", err)
	}
}

func TestNamesOfTheAPIAreComparedInLowerCase(t *testing.T) {
	t.Parallel()
	c, _, err := Load([]string{"KETTER_API_HOSTS=Ketter.Studio.example., ketter,"})
	if err != nil || !slices.Equal(c.APIHosts, []string{"ketter.studio.example", "ketter"}) {
		t.Errorf("%v, %v", c.APIHosts, err)
	}
}

func TestAPasswordIsNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, pair := range []string{
		"DB_URL=postgres://ketter:" + secret + "@host/db?password=" + secret,
		"REDIS_URL=redis://:" + secret + "@host",
		"DB_URL=mysql://ketter:" + secret + "@host/db",
		"DB_URL=postgres://ketter:" + secret + "%zz@host/db",
		"DB_URL=" + secret,
		"DB_URL=postgres://u:1234/" + secret + "@127.0.0.1/x",
		"DB_URL=postgres://u:ab@" + secret + "#x@127.0.0.1:1/x",
		"DB_URL=postgres://u:ab@" + secret + "/x@127.0.0.1:1/x",
	} {
		_, settings, err := Load([]string{pair})
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the password: %v", pair, err)
		}
		for _, s := range settings {
			if strings.Contains(s.Value, secret) {
				t.Errorf("%s: the setting shows the password: %s", pair, s.Value)
			}
		}
	}
}

func TestUnknownVariablesAreFound(t *testing.T) {
	t.Parallel()
	got := Unknown([]string{"KETTER_ALOWED_ROOTS=/x", "KETTER_LISTEN=:1", "HOME=/", "KETTER_TEST_DB_URL=x"})
	if len(got) != 1 || got[0] != "KETTER_ALOWED_ROOTS" {
		t.Errorf("got %v", got)
	}
}
