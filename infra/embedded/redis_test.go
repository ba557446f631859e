package embedded_test

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ketter/ketter/infra/embedded"
)

// redisConn speaks just enough of the protocol to ask a question of one line.
type redisConn struct {
	t      *testing.T
	conn   net.Conn
	reader *bufio.Reader
}

func dialRedis(t *testing.T, address *url.URL) redisConn {
	t.Helper()
	conn, err := net.Dial("tcp", address.Host)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	return redisConn{t: t, conn: conn, reader: bufio.NewReader(conn)}
}

func (r redisConn) ask(question string) string {
	r.t.Helper()
	_, err := fmt.Fprintf(r.conn, "%s\r\n", question)
	must(r.t, err)
	line, err := r.reader.ReadString('\n')
	must(r.t, err)
	return strings.TrimSpace(line)
}

func startRedis(t *testing.T) (*embedded.Redis, *url.URL, string) {
	t.Helper()
	redis, err := embedded.StartRedis(t.Context())
	must(t, err)
	t.Cleanup(redis.Stop)
	address, err := url.Parse(redis.URL())
	must(t, err)
	password, _ := address.User.Password()
	return redis, address, password
}

func inline(words ...string) string {
	command := fmt.Sprintf("*%d", len(words))
	for _, word := range words {
		command += fmt.Sprintf("\r\n$%d\r\n%s", len(word), word)
	}
	return command
}

func TestKeysOfTheEmbeddedRedisExpire(t *testing.T) {
	t.Parallel()
	_, address, password := startRedis(t)
	client := dialRedis(t, address)
	if reply := client.ask(inline("AUTH", password)); reply != "+OK" {
		t.Fatal(reply)
	}
	if reply := client.ask(inline("SET", "short", "x", "PX", "700")); reply != "+OK" {
		t.Fatal(reply)
	}
	if reply := client.ask(inline("SET", "long", "x", "EX", "60")); reply != "+OK" {
		t.Fatal(reply)
	}
	if reply := client.ask(inline("EXISTS", "short")); reply != ":1" {
		t.Errorf("a key of 700 ms is not there at once: %s", reply)
	}
	for client.ask(inline("EXISTS", "short")) == ":1" { // bounded by the connection's deadline
		time.Sleep(20 * time.Millisecond)
	}
	if reply := client.ask(inline("EXISTS", "long")); reply != ":1" {
		t.Errorf("a key of 60 s is gone: %s", reply)
	}
}

func TestTheEmbeddedRedisNeedsItsPassword(t *testing.T) {
	t.Parallel()
	_, address, password := startRedis(t)
	if len(password) < 32 || !strings.HasPrefix(address.Host, "127.0.0.1:") {
		t.Errorf("it listens on %s with a password of %d characters", address.Host, len(password))
	}
	client := dialRedis(t, address)
	if reply := client.ask(inline("SET", "key", "x")); !strings.HasPrefix(reply, "-NOAUTH") {
		t.Error(reply)
	}
}

func TestAStoppedRedisIsGone(t *testing.T) {
	t.Parallel()
	redis, address, _ := startRedis(t)
	redis.Stop()
	if conn, err := net.DialTimeout("tcp", address.Host, time.Second); err == nil {
		_ = conn.Close()
		t.Error("it still accepts connections")
	}
	redis.Stop() // again is harmless
}
