package ingest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// conn is an accepted connection. What net/http asks of it for every request, and hardly ever needs, costs little here.
type conn struct {
	net.Conn
	closed func()
	read   deadline
	write  deadline
	// unwatched says that nobody wants to hear of it when the other side leaves.
	unwatched atomic.Bool
}

// newConn returns c; closed is called whenever it is closed.
func newConn(c net.Conn, closed func()) *conn {
	return &conn{Conn: c, closed: closed, read: deadline{install: c.SetReadDeadline}, write: deadline{install: c.SetWriteDeadline}}
}

// Close closes the connection and makes room for another.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.closed()
	return err
}

// net/http looks for this method without saying so.
var _ interface{ CloseWrite() error } = (*conn)(nil)

// CloseWrite lets net/http end an answer before it closes: without it a
// sender that is still sending would get a reset in place of its 413.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// SetReadDeadline bounds every Read, one that is under way too. Where none is it returns nil, of a closed connection as well.
func (c *conn) SetReadDeadline(t time.Time) error { return c.read.set(t) }

// SetWriteDeadline bounds every Write, one that is under way too, and returns what SetReadDeadline does.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.write.set(t) }

// SetDeadline bounds both.
func (c *conn) SetDeadline(t time.Time) error { return errors.Join(c.read.set(t), c.write.set(t)) }

// Read reads until its deadline.
func (c *conn) Read(p []byte) (n int, err error) {
	if len(p) == 1 && c.unwatched.Load() {
		return 0, nil // net/http takes it for an end of the watch, and its sender for one that is there
	}
	for {
		turn, err := c.read.begin()
		if err != nil {
			return 0, err
		}
		n, err = c.Conn.Read(p)
		if again := c.read.end(turn, err); !again {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

// Write writes until its deadline.
func (c *conn) Write(p []byte) (n int, err error) {
	for {
		turn, err := c.write.begin()
		if err != nil {
			return n, err
		}
		part, err := c.Conn.Write(p[n:])
		n += part
		if again := c.write.end(turn, err); !again {
			return n, err
		}
	}
}

// connKey is the key of a request's *conn in its context.
type connKey struct{}

// withConn lets a handler find its connection.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if _, ok := c.(*conn); !ok {
		return ctx
	}
	return context.WithValue(ctx, connKey{}, c)
}

// unwatch ends at once net/http's watch whether the sender of r leaves, from the end of its body on: what came whole is stored in
// any case. The watch is a goroutine that waits for one byte behind the body and has to be woken before the
// answer: a twentieth of all that a webhook costs.
//
// It is known by a read of one byte. With a body of a known length there is no other until the request is over, for what net/http
// reads goes into a buffer of 4 KiB; the headers of the next request may be read byte by byte, after watchAgain.
func unwatch(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok && r.ContentLength >= 0 {
		c.unwatched.Store(true)
	}
}

// watchAgain ends what unwatch began, when the request is over.
func watchAgain(c net.Conn, s http.ConnState) {
	if c, ok := c.(*conn); ok && s == http.StateIdle {
		c.unwatched.Store(false)
	}
}
