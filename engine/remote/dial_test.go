package remote_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
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
	"golang.org/x/crypto/ssh/agent"

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

func TestARefusedCredentialIsPortalAuthFailed(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	stranger, _ := testsshd.NewKey(t, "")
	locked, public := testsshd.NewKey(t, "open sesame")
	server.Authorize(public)
	for what, credential := range map[string]remote.Credential{
		"a stranger's key":      {PrivateKey: stranger},
		"a password":            {Password: "wrong password"},
		"both":                  {PrivateKey: stranger, Password: "wrong password"},
		"nothing":               {},
		"no passphrase":         {PrivateKey: locked},
		"the wrong passphrase":  {PrivateKey: locked, Passphrase: "open barley"},
		"no key":                {PrivateKey: "no key at all"},
		"a passphrase too much": {PrivateKey: stranger, Passphrase: "needless one"},
	} {
		target := server.Target(1)
		target.Credential = credential
		if f := refused(t, target, failure.PortalAuthFailed); !strings.Contains(f.Sentence(), server.User+"@127.0.0.1") {
			t.Errorf("%s: it says %q", what, f.Sentence())
		}
	}
	target := server.Target(1)
	target.Credential = remote.Credential{PrivateKey: locked, Passphrase: "open sesame"}
	starts(t, target)
}

func TestTheAgentLetsIn(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	public, err := ssh.NewPublicKey(key.Public())
	must(t, err)
	ring := agent.NewKeyring()
	must(t, ring.Add(agent.AddedKey{PrivateKey: key}))
	server := testsshd.Start(t, testsshd.Options{})
	server.Authorize(string(ssh.MarshalAuthorizedKey(public)))
	target := server.Target(1)
	target.Credential = remote.Credential{Agent: true}

	t.Setenv("SSH_AUTH_SOCK", "")
	refused(t, target, failure.PortalAuthFailed)
	socket := filepath.Join(t.TempDir(), "agent")
	t.Setenv("SSH_AUTH_SOCK", socket)
	refused(t, target, failure.PortalAuthFailed)
	listener, err := net.Listen("unix", socket)
	must(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = agent.ServeAgent(ring, conn)
			conn.Close()
		}
	}()
	starts(t, target)
	target.Credential.PrivateKey, _ = testsshd.NewKey(t, "") // tried first
	starts(t, target)
}

// passwords is a server that lets in whoever knows the password, asked for in one of two ways.
func passwords(t *testing.T, config ssh.ServerConfig) remote.Target {
	t.Helper()
	private, public := testsshd.NewKey(t, "")
	key, err := ssh.ParsePrivateKey([]byte(private))
	must(t, err)
	config.AddHostKey(key)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			server, channels, requests, err := ssh.NewServerConn(conn, &config)
			if err != nil {
				conn.Close()
				continue
			}
			go ssh.DiscardRequests(requests)
			for channel := range channels {
				_ = channel.Reject(ssh.Prohibited, "let in")
			}
			server.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return remote.Target{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, User: "somebody", HostKeys: []string{public},
		Credential: remote.Credential{Password: "secret"}, Connections: 1}
}

func TestAPasswordIsGivenHoweverItIsAskedFor(t *testing.T) {
	t.Parallel()
	asks := func(questions []string, echos []bool) func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		return func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", questions, echos)
			if err != nil || len(answers) == 0 || answers[0] != "secret" {
				return nil, fmt.Errorf("wrong")
			}
			return nil, nil
		}
	}
	letIn := map[string]ssh.ServerConfig{
		"password": {PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) != "secret" {
				return nil, fmt.Errorf("wrong")
			}
			return nil, nil
		}},
		"keyboard-interactive": {KeyboardInteractiveCallback: asks([]string{"Password: "}, []bool{false})},
	}
	for what, config := range letIn {
		h := hosts(t, remote.Options{})
		// Let in, but given no session: that is another failure than not to be let in.
		_, err := h.Host(passwords(t, config)).Start(within(t), anything)
		if failure.CodeOf(err) == failure.PortalAuthFailed || err == nil {
			t.Errorf("%s: %v", what, err)
		}
		h.Close()
	}
	for what, config := range map[string]ssh.ServerConfig{
		"two things": {KeyboardInteractiveCallback: asks([]string{"Password: ", "Code: "}, []bool{false, false})},
		"in sight":   {KeyboardInteractiveCallback: asks([]string{"Name: "}, []bool{true})},
	} {
		h := hosts(t, remote.Options{})
		_, err := h.Host(passwords(t, config)).Start(within(t), anything)
		if failure.CodeOf(err) != failure.PortalAuthFailed {
			t.Errorf("%s: %v", what, err)
		}
		h.Close()
	}
}

func TestAHostThatIsNotThereIsUnreachable(t *testing.T) {
	t.Parallel()
	server := testsshd.Start(t, testsshd.Options{})
	target := server.Target(1)
	server.Kill()
	refused(t, target, failure.PortalUnreachable)
	if _, err := remote.ScanKeys(within(t), "127.0.0.1", server.Port); failure.CodeOf(err) != failure.PortalUnreachable {
		t.Errorf("error is %v", err)
	}
	target.Host = "no such name.invalid"
	refused(t, target, failure.PortalUnreachable)
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
