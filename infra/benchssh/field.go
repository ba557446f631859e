package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/ketter/ketter/infra/bed"
	"github.com/ketter/ketter/infra/delayproxy"
)

// field is the two hosts: folders in memory, an sshd, the link, and Ketter if it is measured.
type field struct {
	dir       string
	near, far string // the hosts' folders
	sshd      *bed.Sshd
	link      *delayproxy.Proxy
	ketter    *bed.Ketter // nil without
	env       []string    // what scripts are told
}

func newField(ctx context.Context, o options) (f *field, err error) {
	dir := o.dir
	f = &field{dir: dir, near: filepath.Join(dir, "lab"), far: filepath.Join(dir, "srvtrf")}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if err := errors.Join(os.Mkdir(f.near, 0o755), os.Mkdir(f.far, 0o755)); err != nil {
		return nil, err
	}
	if f.sshd, err = bed.NewSshd(filepath.Join(dir, "sshd")); err != nil {
		return nil, err
	}
	if err := f.sshd.Start(); err != nil {
		return nil, err
	}
	if f.link, err = delayproxy.Listen("127.0.0.1:0", f.sshd.Address(), 0); err != nil {
		return nil, err
	}
	if err := f.admitTools(); err != nil || o.ketter == "" {
		return f, err
	}
	return f, f.startKetter(ctx, o.ketter, o.database)
}

// admitTools lets the others in: as an ordinary account, and as one for files alone.
func (f *field) admitTools() error {
	f.env = append(os.Environ(), "LC_ALL=C")
	shell, err := f.sshd.Admit(bed.Shell)
	if err != nil {
		return err
	}
	config, err := f.sshd.ClientConfig(shell, f.link.Address())
	if err != nil {
		return err
	}
	f.env = append(f.env, "SSH_CONFIG="+config)
	files, err := f.sshd.Admit(bed.SFTPOnly)
	if err != nil {
		return err
	}
	return errors.Join(f.tellRclone("SFTP_SHELL", shell), f.tellRclone("SFTP_ONLY", files))
}

// tellRclone puts what rclone calls a backend into a variable.
func (f *field) tellRclone(variable string, key bed.Key) error {
	host, port, err := net.SplitHostPort(f.link.Address())
	if err != nil {
		return err
	}
	file := filepath.Join(f.dir, "sshd", variable)
	f.env = append(f.env, fmt.Sprintf("%s=:sftp,host=%s,port=%s,user=%s,key_file=%s,known_hosts_file=%s",
		variable, host, port, f.sshd.User(), file, filepath.Join(f.dir, "sshd", "known_hosts")))
	return os.WriteFile(file, []byte(key.Private), 0o600)
}

func (f *field) startKetter(ctx context.Context, program, database string) (err error) {
	f.ketter, err = bed.NewKetter(program, f.dir, bed.Settings{Database: database, Label: "lab", AllowedRoots: f.near})
	if err != nil {
		return err
	}
	if err := f.ketter.Start(ctx); err != nil {
		return err
	}
	// The agent is the program itself, which a forced command runs; the second account is for files alone.
	return errors.Join(
		f.ketter.API.AddPortal(ctx, bed.Portal{Name: lab, Kind: "local", RootPath: f.near, WorkerLabel: "lab"}),
		f.addRemote(ctx, srvtrf, bed.Agent(program, f.far)),
		f.addRemote(ctx, sftpOnly, bed.SFTPOnly))
}

func (f *field) addRemote(ctx context.Context, name, account string) error {
	key, err := f.sshd.Admit(account)
	if err != nil {
		return err
	}
	return f.ketter.API.AddPortal(ctx, f.sshd.Portal(name, f.far, f.link.Address(), key))
}

func (f *field) close() (err error) {
	if f.ketter != nil {
		err = f.ketter.Stop()
	}
	if f.link != nil {
		f.link.Close()
	}
	if f.sshd != nil {
		f.sshd.Kill()
	}
	return err
}
