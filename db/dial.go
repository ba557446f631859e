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

// silenceParams make the server notice a client that is gone, or frozen in a transaction: until then it keeps that one's row
// locks, which nobody gets past. Transactions here never wait for anything but the database.
func silenceParams() map[string]string {
	return map[string]string{
		"idle_in_transaction_session_timeout": "5s",
		"tcp_keepalives_idle":                 "5",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "2",
		"tcp_user_timeout":                    "15s",
	}
}

// dialer makes connections that notice when the database's host is gone.
func dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence / 3, Interval: silence / 3, Count: 2},
		Control:         limitSilence,
	}
}
