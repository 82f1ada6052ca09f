// Package loopback gives tests addresses of this machine for the servers that they start, kill
// and start again at the same place.
//
// Guarantee: until the test ends no other test that asks here gets the address, in this process or
// another, and no program that lets the system choose a port. To listen on port 0, close and
// use what came of it gives neither: whoever asks next may get the port before the server has it,
// or while it is down.
//
// It is test code alone; no program imports it.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports of tests lie between those of well-known services and those that systems choose
// for whoever wants any (from 32768 on Linux, from 49152 elsewhere).
const (
	first = 20_000
	last  = 32_000
)

// Addr returns a TCP address on 127.0.0.1 that nobody listens on, and keeps it for the test.
func Addr(t testing.TB) string {
	t.Helper()
	var err error
	for range 1000 {
		var kept net.PacketConn
		addr := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first))
		if kept, err = reserve(addr); err == nil {
			t.Cleanup(func() { _ = kept.Close() }) // what is left of it ends with the process
			return addr
		}
	}
	t.Fatalf("no port from %d to %d is free: %v", first, last, err)
	return ""
}

// reserve keeps the UDP port of the same number, as a sign for the others: it is in nobody's way.
func reserve(addr string) (net.PacketConn, error) {
	kept, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		_ = kept.Close() // only a sign
		return nil, err
	}
	return kept, l.Close()
}
