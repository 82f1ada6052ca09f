package loopback

import (
	"net"
	"testing"
)

// An address is free, stays so while somebody listens there in turns, and is nobody else's.
func TestAddr(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		addr := Addr(t)
		if seen[addr] {
			t.Fatalf("%s is given out twice", addr)
		}
		seen[addr] = true
		if _, err := reserve(addr); err == nil {
			t.Errorf("%s can be had a second time", addr)
		}
	}
	for addr := range seen {
		for range 2 {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// With the test the address is free again.
func TestAddrEnds(t *testing.T) {
	var addr string
	t.Run("of a test", func(t *testing.T) { addr = Addr(t) })
	kept, err := reserve(addr)
	if err != nil {
		t.Fatalf("%s is still kept: %v", addr, err)
	}
	if err := kept.Close(); err != nil {
		t.Error(err)
	}
}

// Where somebody listens, nothing is kept.
func TestTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if kept, err := reserve(l.Addr().String()); err == nil {
		kept.Close()
		t.Error("an address is kept on which somebody listens")
	}
}
