package broker_test

import (
	"context"
	"strconv"
	"testing"
	"time"
)

func TestAProbeOfARealRedisLeavesNoKey(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	startReal(t, port)
	b, _ := open(t, "127.0.0.1:"+strconv.Itoa(port))
	eventually(t, "Redis answers", func() bool { return b.Ping(t.Context()) == nil })
	eventually(t, "a key expires", func() bool { return b.TryKey(t.Context()) == nil }) // a call on a busy machine may take too long
	eventually(t, "an echo is heard", func() bool { return b.TryEcho(t.Context()) == nil })
}

// miniredis has no clock of its own: keys live for ever, and heartbeats of the dead with them.
func TestAKeyThatDoesNotExpireIsTold(t *testing.T) {
	t.Parallel()
	b, _ := open(t, startMini(t).Addr())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := b.TryKey(ctx); err == nil {
		t.Error("a key that stays counts as expired")
	}
}

func TestAProbeOfADeadRedisFails(t *testing.T) {
	t.Parallel()
	b, _ := open(t, "127.0.0.1:"+strconv.Itoa(freePort(t)))
	if b.TryKey(t.Context()) == nil || b.TryEcho(t.Context()) == nil {
		t.Error("a dead Redis echoes")
	}
}
