package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
)

// scanner asks a host for its keys.
type scanner func(ctx context.Context, host string, port int) ([]string, error)

func newPortalsScanKeyCommand(options *portalOptions, scan scanner) *cobra.Command {
	return &cobra.Command{
		Use:   "scan-key HOST[:PORT]",
		Short: "Show the keys that a host shows, for you to compare",
		Long: `Asks a host for its public keys, from here, and shows them with their fingerprints. Nothing is stored, and nothing is proven:
whoever sits in between can show keys of his own. Compare each fingerprint with the host's own, on its console; then give the
keys you trust to ` + "`ketter portals add --host-key FILE`" + `.

` + exitStatuses(failure.Internal, failure.InvalidRequest, failure.PortalUnreachable),
		Example: `  1. What does it show?
     ketter portals scan-key srvtrf.example
  2. On another port, into a file that --host-key takes (lines that begin with # count for nothing):
     ketter portals scan-key srvtrf.example:2222 > srvtrf.pub`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return usageError(cmd, err)
			}
			if _, _, err := hostAndPort(args[0]); err != nil {
				return usageError(cmd, err)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			host, port, err := hostAndPort(args[0])
			if err != nil {
				return err
			}
			keys, err := scan(cmd.Context(), host, port)
			if err != nil {
				return err
			}
			return printScan(cmd.OutOrStdout(), *options, scanned{host, port, described(keys)})
		},
	}
}

type scanned struct {
	Host string       `json:"host"`
	Port int          `json:"port"`
	Keys []scannedKey `json:"keys"`
}

type scannedKey struct {
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"`
}

// described leaves out what is no key.
func described(keys []string) []scannedKey {
	all := []scannedKey{}
	for _, key := range keys {
		if fingerprint, err := remote.Fingerprint(key); err == nil {
			all = append(all, scannedKey{key, fingerprint})
		}
	}
	return all
}

// printScan writes what --host-key takes: all that is for people is a comment.
func printScan(out io.Writer, options portalOptions, found scanned) error {
	if options.json {
		return printJSON(out, found)
	}
	fmt.Fprintf(out, "# %s shows these keys. Whoever sits in between could show others: before you trust\n"+
		"# one, compare its fingerprint with the host's own, on the host itself:\n", net.JoinHostPort(found.Host, strconv.Itoa(found.Port)))
	for _, key := range found.Keys {
		fmt.Fprintf(out, "#   ssh-keygen -lf %s\n# %s\n%s\n", keyFile(key.Key), key.Fingerprint, printable(key.Key))
	}
	return nil
}

// keyFile is where an OpenSSH server keeps a key of its kind.
func keyFile(key string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(key, "ssh-"), " ")
	if strings.HasPrefix(kind, "ecdsa-") {
		kind = "ecdsa"
	}
	return "/etc/ssh/ssh_host_" + kind + "_key.pub"
}

// hostAndPort reads "host", "host:2222", "::1" or "[::1]:2222".
func hostAndPort(s string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		host, text = strings.Trim(s, "[]"), "22"
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || host == "" || strings.ContainsAny(host, "@/ ") || strings.HasPrefix(host, "-") {
		return "", 0, fmt.Errorf("%q is not a host, or host:port", s)
	}
	return host, int(n), nil
}
