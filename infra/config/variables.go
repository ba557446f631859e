package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// variable is one line of the list: its name, its default, and how its text becomes a value.
type variable struct {
	name, standard, description string
	secret                      bool // of its value only a URL's host and path may be shown
	hidden                      bool // of its value nothing may be shown
	read                        func(value string) error
}

// variables is the list. Descriptions are Markdown, each a sentence or two for an operator.
func variables(c *Config) []variable {
	return []variable{
		{name: "DB_URL", read: urlInto(&c.DBURL, "postgres", "postgresql"), secret: true,
			description: "PostgreSQL to use, as `postgres://user:password@host:5432/database`. `ketter up` starts a private one when it is not set; `serve` and `worker` need it."},
		{name: "REDIS_URL", read: urlInto(&c.RedisURL, "redis", "rediss"), secret: true,
			description: "Redis for heartbeats and live events, as `redis://:password@host:6379/0`. `ketter up` starts one in process when it is not set. Jobs run without it."},
		{name: "KETTER_LISTEN", standard: "127.0.0.1:8000", read: addressInto(&c.Listen),
			description: "Where the API listens. Any address but loopback needs a `KETTER_API_TOKENS_FILE`."},
		{name: "KETTER_API_TOKENS_FILE", read: absoluteInto(&c.APITokensFile),
			description: "Who may use the API: a file that `ketter tokens create NAME` writes. It is read again when it changes. Without one everybody may who reaches it."},
		{name: "KETTER_API_HOSTS", read: func(v string) (err error) { c.APIHosts, err = hosts(v); return err },
			description: "The names by which the API is reached, without ports, separated by `,`. On loopback no other than `localhost` is answered, which a proxy that passes its own name needs; elsewhere without a list any is."},
		{name: "KETTER_TLS_CERT", read: absoluteInto(&c.TLSCert),
			description: "The API's certificate with those in between, a PEM file: it is then served by TLS alone. It is read again when it changes."},
		{name: "KETTER_TLS_KEY", read: absoluteInto(&c.TLSKey),
			description: "The certificate's private key, a PEM file that others must not be able to read."},
		{name: "KETTER_API_TOKEN", read: secretInto(&c.APIToken), hidden: true,
			description: "For commands that ask the API: their token. It is sent by TLS or to loopback alone. Others of the same user can see it in the process's environment; a file is better."},
		{name: "KETTER_API_TOKEN_FILE", read: absoluteInto(&c.APITokenFile),
			description: "A file that holds the token instead, which others must not be able to read."},
		{name: "KETTER_API_CA", read: absoluteInto(&c.APICA),
			description: "For commands that ask the API: a PEM file of certificates that are trusted besides the system's."},
		{name: "KETTER_API_INSECURE", standard: "0", read: switchInto(&c.APIInsecure),
			description: "1 lets commands send the token without TLS to another host, as within a network of containers: who can listen in between can use it from then on."},
		{name: "KETTER_ALLOWED_ROOTS", read: func(v string) (err error) { c.AllowedRoots, err = Roots(v); return err },
			description: "The folders below which jobs may read and write, absolute, separated by `:`. `serve` and `worker` refuse to start without; a missing one is never created."},
		{name: "KETTER_STATE_DIR", standard: ".ketter", read: textInto(&c.StateDir),
			description: "Where `ketter up` keeps its private PostgreSQL, logs and locks."},
		{name: "PG_BINDIR", read: absoluteInto(&c.PGBinDir),
			description: "Folder of the PostgreSQL binaries that `ketter up` starts, when they are not where they usually are."},
		{name: "KETTER_ZIP_THRESHOLD_FILES", standard: "1000", read: countInto(&c.ZipThresholdFiles, 0),
			description: "A folder with more files than this is packed (ZIP_FIRST), if they are also small enough."},
		{name: "KETTER_ZIP_THRESHOLD_AVG_SIZE_BYTES", standard: "4194304", read: countInto(&c.ZipThresholdAvgSize, 0),
			description: "A folder is packed only if its files are smaller than this on average."},
		{name: "KETTER_TMP_DIR", read: absoluteInto(&c.TmpDir),
			description: "Where archives are made before they are sent. By default they are made in the destination's staging, so that making is sending."},
		{name: "KETTER_PARALLEL", standard: "0", read: parallelInto(&c.Parallel),
			description: "Files in flight at once within a job, at most 1024; 0 derives it from the cores and from how fast the storages answer."},
		{name: "KETTER_WORKER_NAME", standard: "", read: func(v string) error {
			if c.WorkerName = v; v == "" {
				c.WorkerName = defaultWorkerName()
			}
			return nil
		}, description: "The worker's name in events and heartbeats. By default the host's name and the process id."},
		{name: "KETTER_QUEUES", standard: "default", read: func(v string) (err error) { c.Queues, err = Queues(v); return err },
			description: "The queues whose jobs a worker runs, separated by `,`. A job names its queue when it is posted."},
		{name: "KETTER_WORKER_LABEL", read: labelInto(&c.WorkerLabel),
			description: "The worker's host, as portals name it: it sees the folders of portals with this label as local paths, and runs the jobs of the queue of this name besides those of `KETTER_QUEUES`."},
		{name: "KETTER_CONCURRENCY", standard: "2", read: countInto(&c.Concurrency, 1),
			description: "Jobs that a worker runs at once, of each of its queues."},
		{name: "KETTER_SOFT_STOP", standard: "10s", read: durationInto(&c.SoftStop),
			description: "How long running jobs may go on after SIGTERM before they are interrupted and given back to the queue."},
		{name: "KETTER_LEASE", standard: "10s", read: durationInto(&c.Lease),
			description: "How long a worker that no longer answers still owns its jobs. At least three beats."},
		{name: "KETTER_BEAT", standard: "2s", read: durationInto(&c.Beat),
			description: "How often a worker renews its leases, records progress and looks for jobs whose worker died."},
		{name: "KETTER_MAX_TAKEOVERS", standard: "5", read: countInto(&c.MaxTakeovers, 0),
			description: "How often a job may lose its worker (killed, cut off) and be taken over before it fails."},
		{name: "KETTER_KEEP_JOBS", standard: "0", read: ageInto(&c.KeepJobs),
			description: "How long ended jobs are kept, as `90d` or `36h`; 0 keeps them for ever."},
		{name: "KETTER_KEEP_EVENTS", standard: "0", read: ageInto(&c.KeepEvents),
			description: "How long the events of ended jobs are kept, as `90d` or `36h`; 0 keeps them as long as their jobs."},
		{name: "KETTER_SECRET_KEY", hidden: true, read: func(v string) error { c.SecretKey = Secret(v); return nil },
			description: "The key that portals' credentials are encrypted with, as `ketter secret-key` makes one; the same for every `serve` and `worker`. Several are separated by `,`: the first encrypts, the others still decrypt (see `ketter portals rekey`)."},
		{name: "KETTER_SECRET_KEY_FILE", read: absoluteInto(&c.SecretKeyFile),
			description: "A file that holds the keys instead, one a line, which others must not be able to read."},
		{name: "KETTER_METRICS_LISTEN", read: loopbackInto(&c.MetricsListen),
			description: "Where this process serves its own figures for Prometheus, as `127.0.0.1:9464`; without it, nowhere. For workers above all: an API serves them at `/metrics` besides. Loopback only."},
		{name: "KETTER_LOG_LEVEL", standard: "info", read: wordInto(&c.LogLevel, "debug", "info", "warn", "error"),
			description: "`debug`, `info`, `warn` or `error`."},
		{name: "KETTER_LOG_FORMAT", standard: "auto", read: wordInto(&c.LogFormat, "auto", "json", "pretty"),
			description: "`json`, `pretty`, or `auto`: pretty on a terminal, else JSON."},
	}
}

// shown is a value fit for a screen: of a URL with a password the password is left out, whatever else it holds.
func shown(v variable, value string) string {
	if v.hidden {
		return veil(value)
	}
	if !v.secret || value == "" {
		return value
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || strings.Contains(u.Path, "@") || strings.Contains(u.Fragment, "@") {
		return "(set)"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// veil tells that there is something, and not what.
func veil(value string) string {
	if value == "" {
		return ""
	}
	return "(set)"
}

func secretInto(target *Secret) func(string) error {
	return func(v string) error { *target = Secret(v); return nil }
}

func switchInto(target *bool) func(string) error {
	return func(v string) error {
		if v != "0" && v != "1" {
			return errors.New("must be 0 or 1")
		}
		*target = v == "1"
		return nil
	}
}

var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?$`)

// hosts makes names of a list as KETTER_API_HOSTS holds it, as they are compared.
func hosts(list string) (names []string, err error) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(name)), ".")
		if name == "" {
			continue
		}
		if len(name) > 253 || !hostName.MatchString(name) {
			return nil, fmt.Errorf("%q is not a host's name, as ketter.studio.example, without a port", name)
		}
		names = append(names, name)
	}
	return names, nil
}

func labelInto(target *string) func(string) error {
	return func(v string) error {
		if v != "" && !isQueue(v) {
			return errors.New("must be a queue's name: lower-case letters and digits, and single - or _ between them")
		}
		*target = v
		return nil
	}
}

func textInto(target *string) func(string) error {
	return func(v string) error { *target = v; return nil }
}

func absoluteInto(target *string) func(string) error {
	return func(v string) error {
		if v != "" && !filepath.IsAbs(v) {
			return errors.New("must be an absolute path")
		}
		*target = v
		return nil
	}
}

func urlInto(target *string, schemes ...string) func(string) error {
	return func(v string) error {
		if v != "" {
			u, err := url.Parse(v)
			if err != nil || !slices.Contains(schemes, u.Scheme) {
				return fmt.Errorf("must be a URL that begins with %s://", schemes[0])
			}
			// An @, / or # that a password holds as it is cuts it in two, and its rest would be taken for a host.
			if strings.Contains(u.Path, "@") || strings.Contains(u.Fragment, "@") {
				return errors.New("has a password with a character of its own meaning: write @ as %40, / as %2F, # as %23")
			}
		}
		*target = v
		return nil
	}
}

func addressInto(target *string) func(string) error {
	return func(v string) error {
		if _, port, err := net.SplitHostPort(v); err != nil || port == "" {
			return errors.New("must be an address and a port, as 127.0.0.1:8000")
		}
		*target = v
		return nil
	}
}

// loopbackInto takes an address that nobody else's host reaches: what listens there asks for no credential.
func loopbackInto(target *string) func(string) error {
	address := addressInto(target)
	return func(v string) error {
		if v == "" {
			return nil
		}
		if err := address(v); err != nil {
			return err
		}
		host, _, _ := net.SplitHostPort(v)
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return errors.New("must be an address of this host alone, as 127.0.0.1:9464: what listens there asks nobody who he is. " +
				"Let an agent on this host read it, or a proxy of yours that does ask")
		}
		return nil
	}
}

func countInto[T int | int64](target *T, least T) func(string) error {
	return func(v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || T(n) < least || int64(T(n)) != n {
			return fmt.Errorf("must be a whole number, at least %d", least)
		}
		*target = T(n)
		return nil
	}
}

// parallelInto bounds what each job takes of memory, threads and open files.
func parallelInto(target *int) func(string) error {
	const most = 1024
	count := countInto(target, 0)
	return func(v string) error {
		if err := count(v); err != nil || *target > most {
			return fmt.Errorf("must be a whole number from 0 to %d", most)
		}
		return nil
	}
}

func durationInto(target *time.Duration) func(string) error {
	return func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return errors.New("must be a duration above 0, as 500ms, 10s or 2m")
		}
		*target = d
		return nil
	}
}

// ageInto takes days too, and 0 for no limit.
func ageInto(target *time.Duration) func(string) error {
	return func(v string) error {
		hours := v
		if days, found := strings.CutSuffix(v, "d"); found {
			n, err := strconv.ParseUint(days, 10, 16)
			if err != nil {
				return errors.New("must be a time, as 90d or 36h, or 0")
			}
			hours = strconv.FormatUint(24*n, 10) + "h"
		}
		age, err := time.ParseDuration(hours)
		if err != nil || age < 0 || age > 0 && age < time.Hour {
			return errors.New("must be a time of at least an hour, as 90d or 36h, or 0")
		}
		*target = age
		return nil
	}
}

func wordInto(target *string, words ...string) func(string) error {
	return func(v string) error {
		if !slices.Contains(words, v) {
			return errors.New("must be one of " + strings.Join(words, ", "))
		}
		*target = v
		return nil
	}
}
