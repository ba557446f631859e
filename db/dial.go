package db

import (
	"net"
	"time"
)

const (
	// connectTime bounds a new connection, where the URL has no connect_timeout of its own.
	connectTime = 5 * time.Second
	// silence is how long the other side may answer nothing, not even to TCP, until a connection counts as lost: a cable that
	// is pulled says no farewell, and TCP itself would go on hoping for a quarter of an hour.
	silence = 15 * time.Second
)

// dialer makes connections that notice when the database's host is gone.
func dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence / 3, Interval: silence / 3, Count: 2},
		Control:         limitSilence,
	}
}
