package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/transfer"
	"github.com/ketter/ketter/httpapi/client"
)

// portalFlags say what a portal shall be. Secrets among them are names of files.
type portalFlags struct {
	name, kind, root, host, user, label, agentPath     string
	hostKeyFile, keyFile, passphraseFile, passwordFile string
	port, maxConnections                               int
	zipThresholdFiles, zipThresholdAvgSize             int64
	useAgent, sendAgent, noCredential                  bool
}

func (f *portalFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.kind, "kind", "", "local (a folder that workers see) or sftp (over SSH)")
	flags.StringVar(&f.root, "root", "", "the folder, absolute, as its host sees it")
	flags.StringVar(&f.host, "host", "", "name or address of the host (sftp)")
	flags.IntVar(&f.port, "port", 22, "port of its SSH server (sftp)")
	flags.StringVar(&f.user, "user", "", "user to log in as (sftp)")
	flags.StringVar(&f.hostKeyFile, "host-key", "", "file with the host's public keys, one a line; - reads standard input (sftp)")
	flags.StringVar(&f.keyFile, "key", "", "file with the user's private key; - reads standard input")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", "file with the key's passphrase; - reads standard input")
	flags.StringVar(&f.passwordFile, "password-file", "", "file with the user's password; - reads standard input")
	flags.BoolVar(&f.useAgent, "use-agent", false, "log in by the SSH agent of the worker, at its SSH_AUTH_SOCK")
	flags.StringVar(&f.label, "label", "", "the KETTER_WORKER_LABEL of the workers that see the folder as a local path")
	flags.IntVar(&f.maxConnections, "max-connections", 8, "SSH connections that a worker opens to it at most, 1 to 32")
	flags.Int64Var(&f.zipThresholdFiles, "zip-threshold-files", -1, "its own KETTER_ZIP_THRESHOLD_FILES; -1 for none")
	flags.Int64Var(&f.zipThresholdAvgSize, "zip-threshold-avg-size-bytes", -1, "its own KETTER_ZIP_THRESHOLD_AVG_SIZE_BYTES; -1 for none")
	flags.StringVar(&f.agentPath, "agent-path", "", "where the ketter binary is on the host, absolute (sftp)")
	flags.BoolVar(&f.sendAgent, "send-agent", false, "Ketter may bring its own binary to the host, to its user's cache (sftp)")
}

// apply changes the fields of a portal to what was typed, and leaves the others alone.
func (f *portalFlags) apply(cmd *cobra.Command, fields client.PortalFields) error {
	typed := cmd.Flags().Changed
	if typed("kind") && transfer.PortalKind(f.kind) == transfer.LocalPortal {
		for _, name := range []string{"host", "port", "username", "host_key", "agent_path", "send_agent"} {
			delete(fields, name)
		}
	}
	for _, flag := range []struct {
		name, field string
		value       any
		none        bool
	}{
		{"name", "name", f.name, f.name == ""}, {"kind", "kind", f.kind, f.kind == ""}, {"root", "root_path", f.root, f.root == ""},
		{"host", "host", f.host, f.host == ""}, {"port", "port", f.port, false}, {"user", "username", f.user, f.user == ""},
		{"label", "worker_label", f.label, f.label == ""}, {"max-connections", "max_connections", f.maxConnections, false},
		{"zip-threshold-files", "zip_threshold_files", f.zipThresholdFiles, f.zipThresholdFiles == -1},
		{"zip-threshold-avg-size-bytes", "zip_threshold_avg_size_bytes", f.zipThresholdAvgSize, f.zipThresholdAvgSize == -1},
		{"agent-path", "agent_path", f.agentPath, f.agentPath == ""}, {"send-agent", "send_agent", f.sendAgent, false},
	} {
		if !typed(flag.name) {
			continue
		}
		if fields[flag.field] = flag.value; flag.none {
			fields[flag.field] = nil
		}
	}
	return f.applyFiles(cmd, fields)
}

// applyFiles reads what is in files: the host's keys, and the credential.
func (f *portalFlags) applyFiles(cmd *cobra.Command, fields client.PortalFields) error {
	read := newSecretReader(cmd)
	if f.hostKeyFile != "" {
		fields["host_key"] = read.file("--host-key", f.hostKeyFile)
	}
	credential := map[string]any{}
	if f.keyFile != "" {
		credential["private_key"] = read.file("--key", f.keyFile)
	}
	if f.passphraseFile != "" {
		credential["passphrase"] = oneLine(read.file("--passphrase-file", f.passphraseFile))
	}
	if f.passwordFile != "" {
		credential["password"] = oneLine(read.file("--password-file", f.passwordFile))
	}
	if f.useAgent {
		credential["agent"] = true
	}
	switch {
	case read.err != nil:
		return read.err
	case f.noCredential && len(credential) > 0:
		return usageError(cmd, errors.New("--no-credential and a credential are both given"))
	case f.noCredential:
		fields["credential"] = nil
	case len(credential) > 0:
		fields["credential"] = credential
	}
	return nil
}

// secretReader reads small files, and standard input once. The first error counts.
type secretReader struct {
	stdin io.Reader // nil once it was read
	err   error
}

func newSecretReader(cmd *cobra.Command) *secretReader { return &secretReader{stdin: cmd.InOrStdin()} }

// maxSecretFile is more than the API takes.
const maxSecretFile = 128 << 10

func (r *secretReader) file(flag, name string) string {
	text, err := r.read(name)
	if err == nil && len(text) > maxSecretFile {
		err = fmt.Errorf("it is larger than %d bytes", maxSecretFile)
	}
	if err != nil && r.err == nil {
		r.err = &failure.Error{
			Code: failure.InvalidRequest, Message: fmt.Sprintf("%s %s: %v", flag, name, err), Hint: "Name a file that you can read, or - for standard input.",
		}
	}
	return text
}

func (r *secretReader) read(name string) (string, error) {
	source := r.stdin
	if name == "-" {
		if source == nil {
			return "", errors.New("standard input is read already")
		}
		r.stdin = nil
	} else {
		file, err := os.Open(name)
		if err != nil {
			return "", errors.Unwrap(err) // the name stands before it
		}
		defer file.Close()
		source = file
	}
	text, err := io.ReadAll(io.LimitReader(source, maxSecretFile+1))
	return string(text), err
}

// oneLine leaves out the line's end that editors and echo add.
func oneLine(text string) string { return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r") }
