package load

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one keep-alive connection for requests at a low rate: it blocks its
// thread in poll, so no scheduler adds to what is timed. Not safe for
// concurrent use.
type Conn struct {
	addr string
	fd   int
	in   []byte
}

// Dial connects to a server at addr (IPv4 host:port).
func Dial(addr string) (*Conn, error) {
	fd, err := dial(addr)
	if err != nil {
		return nil, err
	}
	return &Conn{addr: addr, fd: fd, in: make([]byte, 64<<10)}, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// Do sends one request and returns its answer and how long that took. The body
// is valid until the next call.
func (c *Conn) Do(request []byte) (status int, body []byte, took time.Duration, err error) {
	start := time.Now()
	if n, err := unix.Write(c.fd, request); err != nil || n != len(request) {
		return 0, nil, 0, fmt.Errorf("sending to %s: %d of %d B: %w", c.addr, n, len(request), err)
	}
	read := 0
	for {
		if read == len(c.in) {
			return 0, nil, 0, fmt.Errorf("an answer of %s is longer than %d B", c.addr, len(c.in))
		}
		n, err := c.wait(read)
		if err != nil {
			return 0, nil, 0, fmt.Errorf("reading from %s: %w", c.addr, err)
		}
		read += n
		status, body, whole, err := parse(c.in[:read])
		if err != nil {
			return 0, nil, 0, err
		}
		if whole {
			return status, body, time.Since(start), nil
		}
	}
}

// wait reads into the buffer from an offset, for ten seconds at most.
func (c *Conn) wait(from int) (int, error) {
	for {
		n, err := unix.Read(c.fd, c.in[from:])
		switch {
		case err == nil && n == 0:
			return 0, errors.New("the server closed the connection")
		case err == nil:
			return n, nil
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
			return 0, err
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, 10_000)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, err
		}
		if err == nil && ready == 0 {
			return 0, errors.New("no answer for ten seconds")
		}
	}
}

// Get returns the request bytes of a GET.
func Get(addr, path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n\r\n", path, addr)
}
