package remote_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/ketter/ketter/engine/failure"
	"github.com/ketter/ketter/engine/remote"
	"github.com/ketter/ketter/infra/testsshd"
)

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
	_ = refused(t, target, failure.PortalAuthFailed)
	socket := filepath.Join(t.TempDir(), "agent")
	t.Setenv("SSH_AUTH_SOCK", socket)
	_ = refused(t, target, failure.PortalAuthFailed)
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
