package remote_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/infra/testnet"
	"github.com/ketter/ketter/infra/testsshd"
)

var anything = remote.Command{Line: "true"}

// refused starts something on a host that is not to let it, and returns the failure.
func refused(t *testing.T, target remote.Target, want failure.Code) *failure.Error {
	t.Helper()
	p, err := hosts(t, remote.Options{}).Host(target).Start(within(t), anything)
	if err == nil {
		p.Close()
	}
	if failure.CodeOf(err) != want {
		t.Fatalf("error is %v, want %s", err, want)
	}
	for _, secret := range []string{target.Credential.Password, target.Credential.Passphrase, target.Credential.PrivateKey} {
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
	return failure.From(err)
}

func starts(t *testing.T, target remote.Target) {
	t.Helper()
	p, err := hosts(t, remote.Options{}).Host(target).Start(within(t), anything)
	must(t, err)
	must(t, p.Wait())
	must(t, p.Close())
}

func TestAnotherHostKeyIsAMismatch(t *testing.T) {
	t.Parallel()
	server, other := testsshd.Start(t, testsshd.Options{}), testsshd.Start(t, testsshd.Options{})
	target := server.Target(1)
	target.HostKeys = []string{other.HostKey}
	f := refused(t, target, failure.HostKeyMismatch)
	for _, key := range []string{server.HostKey, other.HostKey} {
		print, err := remote.Fingerprint(key)
		must(t, err)
		if !strings.Contains(f.Sentence(), print) {
			t.Errorf("%q does not name %s", f.Sentence(), print)
		}
	}
	target.HostKeys = append(target.HostKeys, server.HostKey) // one of several
	starts(t, target)
}

func TestAHostWithKeysOfOtherKindsIsAMismatch(t *testing.T) {
	t.Parallel()
	target := testsshd.Start(t, testsshd.Options{}).Target(1)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	public, err := ssh.NewPublicKey(private.Public())
	must(t, err)
	target.HostKeys = []string{string(ssh.MarshalAuthorizedKey(public))}
	if f := refused(t, target, failure.HostKeyMismatch); !strings.Contains(f.Sentence(), "ssh-ed25519") {
		t.Errorf("it says %q", f.Sentence())
	}
}

func TestAHostIsProvenByAnyKindOfKey(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	folder := t.TempDir()
	var config, kinds []string
	for name, key := range map[string]any{"ecdsa": ec, "rsa": rs} {
		block, err := ssh.MarshalPrivateKey(key, "")
		must(t, err)
		path := filepath.Join(folder, name)
		must(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
		config = append(config, "HostKey "+path)
	}
	server := testsshd.Start(t, testsshd.Options{Config: config})
	keys, err := remote.ScanKeys(within(t), "127.0.0.1", server.Port)
	must(t, err)
	must(t, remote.ValidateHostKeys(keys))
	for _, key := range keys {
		kinds = append(kinds, strings.Fields(key)[0])
		target := server.Target(1)
		target.HostKeys = []string{key}
		starts(t, target)
	}
	if got := fmt.Sprint(kinds); got != "[ssh-ed25519 ecdsa-sha2-nistp256 ssh-rsa]" || keys[0] != server.HostKey {
		t.Errorf("it has %s", got)
	}
}

func TestAHostThatIsNotThereIsUnreachable(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	target := server.Target(1)
	server.Kill()
	_ = refused(t, target, failure.PortalUnreachable)
	if _, err := remote.ScanKeys(within(t), "127.0.0.1", server.Port); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("error is %v", err)
	}
	target.Host = "no such name.invalid"
	_ = refused(t, target, failure.PortalUnreachable)
}

func TestAHostThatSaysNothingIsUnreachable(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	proxy := testnet.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", server.Port), 0)
	proxy.Swallow()
	target := server.Target(1)
	target.Port = proxy.Port()
	h := hosts(t, remote.Options{Handshake: 100 * time.Millisecond, Tries: 2, Again: time.Millisecond})
	_, err := h.Host(target).Start(within(t), anything)
	if failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = hosts(t, remote.Options{}).Host(target).Start(ctx, anything)
	if failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("error is %v", err)
	}
}

// TestADialThatIsCutOffIsTriedAgain: sshd drops connections while too many are about to be let in.
func TestADialThatIsCutOffIsTriedAgain(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	proxy := testnet.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", server.Port), 0)
	target := server.Target(1)
	target.Port = proxy.Port()
	proxy.Drop(3)
	starts(t, target)
	if n := proxy.Taken.Load(); n != 4 {
		t.Errorf("it was dialled %d times", n)
	}
}

func TestACredentialNeverShowsItself(t *testing.T) {
	t.Parallel()
	target := remote.Target{Host: "host", Credential: remote.Credential{PrivateKey: "secret", Passphrase: "secret", Password: "secret"}}
	text := fmt.Sprintf("%v %+v %#v %s %q %x", target, target, target, target.Credential, target.Credential, &target.Credential)
	if strings.Contains(text, "secret") || strings.Contains(text, fmt.Sprintf("%x", "secret")) {
		t.Errorf("it shows: %s", text)
	}
	if _, err := json.Marshal(target); err == nil {
		t.Error("it is written as JSON")
	}
}

func FuzzHostKeysAreReadOrRefused(f *testing.F) {
	_, public := testsshd.NewKey(f, "")
	for _, seed := range []string{public, "", "ssh-rsa AAAA", `command="x" ` + public, public + "\n" + public, "# " + public} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		print, err := remote.Fingerprint(text)
		if refused := remote.ValidateHostKeys([]string{text}); (err == nil) != (refused == nil) {
			t.Errorf("%q: %v and %v", text, err, refused)
		}
		if err == nil && !strings.HasPrefix(print, "SHA256:") {
			t.Errorf("%q has fingerprint %q", text, print)
		}
		if err != nil && failure.CodeOf(err) != failure.InvalidRequest {
			t.Errorf("%q: %v", text, err)
		}
	})
}
