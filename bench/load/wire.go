package load

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// dial opens a TCP connection without the runtime's poller behind it, not
// blocking and without Nagle's delay.
func dial(addr string) (int, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return 0, fmt.Errorf("address of the server: %w", err)
	}
	if !at.Addr().Is4() {
		return 0, fmt.Errorf("address of the server: %s is not IPv4", addr)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	if err := setUp(fd, at); err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	return fd, nil
}

func setUp(fd int, at netip.AddrPort) error {
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	return unix.SetNonblock(fd, true)
}

var (
	endOfHead     = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
	version       = []byte("HTTP/1.1 ")
)

// parse reads an answer; whole is false while bytes of it are still to come.
func parse(in []byte) (status int, body []byte, whole bool, err error) {
	head, rest, found := bytes.Cut(in, endOfHead)
	if !found {
		return 0, nil, false, nil
	}
	if len(head) < 12 || !bytes.HasPrefix(head, version) {
		return 0, nil, false, fmt.Errorf("not an HTTP/1.1 answer: %q", head)
	}
	if status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return 0, nil, false, fmt.Errorf("not an HTTP/1.1 answer: %q", head)
	}
	_, after, found := bytes.Cut(head, contentLength)
	if !found {
		return 0, nil, false, fmt.Errorf("an answer without Content-Length: %q", head)
	}
	digits, _, _ := bytes.Cut(after, []byte("\r"))
	length, err := strconv.Atoi(string(digits))
	if err != nil {
		return 0, nil, false, fmt.Errorf("an answer without Content-Length: %q", head)
	}
	if len(rest) > length {
		return 0, nil, false, fmt.Errorf("%d B more than the answer has: %q", len(rest)-length, in)
	}
	return status, rest, len(rest) == length, nil
}

// cpuTime returns the processor time this process has used.
func cpuTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
