package httpapi

import (
	"fmt"
	"testing"
	"time"
)

func TestWrongTokensAreCountedByAddress(t *testing.T) {
	t.Parallel()
	var a attempts
	now := time.Now()
	for range mostWrong {
		if _, wait := a.note("192.0.2.1:1000", now); wait != 0 {
			t.Fatal("too many too soon")
		}
	}
	if _, wait := a.note("192.0.2.1:2000", now); wait != wrongWindow {
		t.Errorf("another port of the same address: %v", wait)
	}
	if _, wait := a.note("[::ffff:192.0.2.1]:1", now.Add(wrongWindow-time.Second)); wait != time.Second {
		t.Errorf("the same address, written otherwise: %v", wait)
	}
	if _, wait := a.note("192.0.2.2:1000", now); wait != 0 {
		t.Errorf("another address: %v", wait)
	}
	if _, wait := a.note("192.0.2.1:1000", now.Add(wrongWindow)); wait != 0 {
		t.Errorf("a minute later: %v", wait)
	}
	for i := range mostWrong + 1 { // who has a network has 2^64 addresses
		_, wait := a.note(fmt.Sprintf("[2001:db8::%x]:1", i), now)
		if (wait != 0) != (i == mostWrong) {
			t.Errorf("%d of a network: %v", i, wait)
		}
	}
}

func TestTheTableOfAddressesIsBounded(t *testing.T) {
	t.Parallel()
	var a attempts
	now := time.Now()
	address := func(i int) string { return fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255) }
	for i := range 5 * mostAddresses {
		a.note(address(i), now)
	}
	if n := len(a.from); n > mostAddresses+1 {
		t.Errorf("%d addresses are kept", n)
	}
	if _, wait := a.note(address(9*mostAddresses), now); wait == 0 {
		t.Error("those beyond are not counted as one")
	}
	a.note(address(0), now.Add(wrongWindow))
	a.note(address(1<<20), now.Add(wrongWindow))
	if n := len(a.from); n > 2 {
		t.Errorf("%d addresses are kept of a minute that is over", n)
	}
}
