package portal

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/ketter/ketter/engine/endpoint"
	"github.com/ketter/ketter/engine/endpoint/agent"
	"github.com/ketter/ketter/engine/endpoint/sftp"
	"github.com/ketter/ketter/engine/endpoint/tree"
	"github.com/ketter/ketter/engine/remote"
)

// where our own binary goes, below the user's home folder.
var cache = []string{".cache", "ketter"}

// send brings our own binary to the host, into a cache where it is named by its hash, and returns its path there.
func (p *Portals) send(ctx context.Context, host *remote.Host, none error) (string, error) {
	if err := p.fitsThere(none); err != nil {
		return "", err
	}
	binary, err := os.Open(p.options.Binary)
	if err != nil {
		return "", fmt.Errorf("reading our own binary: %w", err)
	}
	defer binary.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, binary); err != nil {
		return "", fmt.Errorf("reading our own binary: %w", err)
	}
	name := "ketter-" + hex.EncodeToString(sum.Sum(nil))
	s, err := sftp.Open(ctx, host, cmp.Or(p.options.Home, "."), sftp.Options{})
	if err != nil {
		return "", err
	}
	path, err := place(s, binary, name)
	if err != nil {
		err = fmt.Errorf("sending our own binary: %w", err)
	}
	return path, errors.Join(err, s.Close())
}

// fitsThere reports why our binary can't run on a host that said what it is.
func (p *Portals) fitsThere(none error) error {
	var said *agent.NoneError
	if p.options.Binary == "" || !errors.As(none, &said) {
		return errors.New("what system the host has is not known, so our own binary was not sent")
	}
	systems := map[string]string{"Linux": "linux", "Darwin": "darwin"}
	cpus := map[string]string{"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
	if systems[said.OS] != runtime.GOOS || cpus[said.Arch] != runtime.GOARCH {
		return fmt.Errorf("our own binary is for %s/%s and can't run on %s/%s", runtime.GOOS, runtime.GOARCH, said.OS, said.Arch)
	}
	return nil
}

// place puts the binary into the cache, complete or not at all, and returns its path.
func place(s *sftp.Storage, binary io.ReaderAt, name string) (string, error) {
	found, err := s.Locate(s.Root())
	if err != nil {
		return "", err
	}
	dirs := tree.NewMaker(found.Dir)
	defer found.Dir.Close()
	defer dirs.Close()
	path := tree.Join(s.Root(), tree.Join(tree.Join(cache[0], cache[1]), name))
	in, _, err := dirs.Find(tree.Join(tree.Join(cache[0], cache[1]), name))
	if err != nil {
		return "", err
	}
	if _, err := in.Lstat(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	fresh := name + "." + rand.Text() // others may be at it, too
	if err := write(in, fresh, binary); err != nil {
		return "", errors.Join(err, in.Remove(fresh))
	}
	err = in.Rename(fresh, in, name)
	if errors.Is(err, fs.ErrExist) { // somebody else was as fast
		err = in.Remove(fresh)
	}
	return path, err
}

func write(in endpoint.Dir, name string, binary io.ReaderAt) error {
	out, err := in.Create(name, 0o700)
	if err != nil {
		return err
	}
	defer out.Close()
	const chunk = 1 << 20
	if _, err := io.CopyBuffer(struct{ io.Writer }{out}, io.NewSectionReader(binary, 0, 1<<40), make([]byte, chunk)); err != nil {
		return err
	}
	return errors.Join(out.SetMode(0o700), out.Sync(), out.Close())
}
