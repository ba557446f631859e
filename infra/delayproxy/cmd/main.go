// Delayproxy runs a link with latency until it is told to end, for infra/two_hosts.sh and for play:
//
//	go run ./infra/delayproxy/cmd --listen 127.0.0.1:2222 --target 127.0.0.1:22 --delay 10ms
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ketter/ketter/infra/delayproxy"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "where it listens")
	target := flag.String("target", "", "to whom it passes on, as 127.0.0.1:22")
	delay := flag.Duration("delay", 10*time.Millisecond, "what each way takes")
	flag.Parse()
	if *target == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "delayproxy: --target is needed; see --help")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	proxy, err := delayproxy.Listen(*listen, *target, *delay)
	if err != nil {
		fmt.Fprintln(os.Stderr, "delayproxy:", err)
		os.Exit(1)
	}
	fmt.Println("listening at", proxy.Address())
	<-ctx.Done()
	proxy.Close()
}
