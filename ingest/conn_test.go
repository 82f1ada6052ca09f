package ingest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// wire is the network under a connection, with a clock of its own: what is asked for comes after a while, unless the
// deadline is before, and meanwhile somebody may set another deadline.
type wire struct {
	net.Conn
	now       time.Time
	deadline  time.Time
	comes     time.Duration // until it comes
	meanwhile []change
	set       func(time.Time) error
}

type change struct {
	after    time.Duration
	deadline time.Time
}

func (w *wire) SetReadDeadline(t time.Time) error { w.deadline = t; return nil }

func (w *wire) Read(p []byte) (int, error) {
	for {
		if !w.deadline.IsZero() && !w.deadline.After(w.now) {
			return 0, os.ErrDeadlineExceeded
		}
		wait := w.comes
		if !w.deadline.IsZero() {
			wait = min(wait, w.deadline.Sub(w.now))
		}
		if len(w.meanwhile) > 0 {
			wait = min(wait, w.meanwhile[0].after)
		}
		w.now, w.comes = w.now.Add(wait), w.comes-wait
		if len(w.meanwhile) > 0 {
			if w.meanwhile[0].after -= wait; w.meanwhile[0].after == 0 {
				t := w.meanwhile[0].deadline
				w.meanwhile = w.meanwhile[1:]
				if err := w.set(t); err != nil {
					return 0, err
				}
				continue
			}
		}
		if w.comes == 0 {
			return copy(p, "x"), nil
		}
	}
}

// A connection keeps its deadlines as the network itself does, to the instant, whatever they are
// and whenever they are set.
func TestDeadlinesAreThoseOfTheNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(1_700_000_000, 0)
		plain, under := &wire{now: start}, &wire{now: start}
		c := newConn(under, func() {})
		plain.set, under.set = plain.SetReadDeadline, c.SetReadDeadline
		ms := rapid.IntRange(0, 50)
		// A deadline is none, or a little before or after now.
		deadline := func(label string) time.Time {
			if rapid.IntRange(0, 4).Draw(t, label+" is none") == 0 {
				return time.Time{}
			}
			return plain.now.Add(time.Duration(ms.Draw(t, label)-10) * time.Millisecond)
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				d := deadline("deadline")
				if err := errors.Join(plain.SetReadDeadline(d), c.SetReadDeadline(d)); err != nil {
					t.Fatal(err)
				}
			case 1:
				d := time.Duration(ms.Draw(t, "idle")) * time.Millisecond
				plain.now, under.now = plain.now.Add(d), under.now.Add(d)
			case 2:
				comes := time.Duration(1+ms.Draw(t, "comes")) * time.Millisecond
				var meanwhile []change
				for range rapid.IntRange(0, 2).Draw(t, "meanwhile") {
					meanwhile = append(meanwhile, change{time.Duration(1+ms.Draw(t, "after")) * time.Millisecond, deadline("another")})
				}
				plain.comes, under.comes = comes, comes
				plain.meanwhile, under.meanwhile = append([]change(nil), meanwhile...), append([]change(nil), meanwhile...)
				var p, q [8]byte
				n, err := plain.Read(p[:])
				m, errUnder := c.Read(q[:])
				if n != m || !errors.Is(errUnder, err) {
					t.Fatalf("%d B, %v; the network itself gives %d B, %v", m, errUnder, n, err)
				}
				if !plain.now.Equal(under.now) {
					t.Fatalf("it took until %v; with the network itself until %v", under.now, plain.now)
				}
			}
		}
	})
}

// Two that waited under a deadline that was put off both wait on, whichever of them hears of it first.
func TestBothWaitOnAfterADeadlineThatWasPutOff(t *testing.T) {
	d := deadline{install: func(time.Time) error { return nil }}
	begin := func() int {
		t.Helper()
		turn, err := d.begin()
		if err != nil {
			t.Fatal(err)
		}
		return turn
	}
	early := time.Unix(1_700_000_000, 0)
	_ = d.set(early) // nobody waits, so nothing is installed
	if d.end(begin(), nil) {
		t.Fatal("what went well is to be done again")
	}
	_ = d.set(early.Add(time.Hour))
	one, other := begin(), begin()
	if !d.end(one, os.ErrDeadlineExceeded) {
		t.Fatal("the first takes the early deadline for its own")
	}
	one = begin()
	if !d.end(other, os.ErrDeadlineExceeded) {
		t.Error("the second takes the early deadline for its own")
	}
	other = begin()
	for _, turn := range []int{one, other} {
		if d.end(turn, os.ErrDeadlineExceeded) {
			t.Error("the deadline that is wanted does not count")
		}
	}
}

// slow is a network that takes a while for what is written and, where the deadline is before, half of it.
type slow struct {
	net.Conn
	now, deadline time.Time
	takes         time.Duration
	got           []byte
}

func (s *slow) SetWriteDeadline(t time.Time) error { s.deadline = t; return nil }

func (s *slow) Write(p []byte) (int, error) {
	end := s.now.Add(s.takes)
	switch {
	case s.deadline.IsZero() || end.Before(s.deadline):
		s.now, s.got = end, append(s.got, p...)
		return len(p), nil
	case s.deadline.After(s.now):
		half := p[:len(p)/2]
		s.now, s.got = s.deadline, append(s.got, half...)
		return len(half), os.ErrDeadlineExceeded
	}
	return 0, os.ErrDeadlineExceeded
}

// A write whose deadline was put off goes on where it was, and loses nothing; one whose deadline is over says how
// much it wrote.
func TestWriteGoesOnAfterADeadlineThatWasPutOff(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	under := &slow{now: start}
	c := newConn(under, func() {})
	write := func(deadline, takes time.Duration, what string) (int, error) {
		t.Helper()
		if err := c.SetWriteDeadline(start.Add(deadline)); err != nil {
			t.Fatal(err)
		}
		under.takes = takes
		return c.Write([]byte(what))
	}
	if n, err := write(time.Second, 0, "ab"); n != 2 || err != nil {
		t.Fatalf("%d B, %v", n, err)
	}
	if n, err := write(time.Minute, 2*time.Second, "cdefgh"); n != 6 || err != nil {
		t.Errorf("%d B, %v, want 6 B", n, err)
	}
	if n, err := write(10*time.Second, time.Minute, "ijkl"); n != 2 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d B, %v, want 2 B and the end of the deadline", n, err)
	}
	if got := string(under.got); got != "abcdefghij" {
		t.Errorf("%q was written", got)
	}
}

// counting counts what is asked of connections.
type counting struct {
	net.Listener
	deadlines, single atomic.Int64 // deadlines set, reads of a single byte
}

type counted struct {
	net.Conn
	c *counting
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &counted{c, l}, err
}

func (c *counted) SetReadDeadline(t time.Time) error {
	c.c.deadlines.Add(1)
	return c.Conn.SetReadDeadline(t)
}

func (c *counted) SetWriteDeadline(t time.Time) error {
	c.c.deadlines.Add(1)
	return c.Conn.SetWriteDeadline(t)
}

func (c *counted) Read(p []byte) (int, error) {
	if len(p) == 1 {
		c.c.single.Add(1)
	}
	return c.Conn.Read(p)
}

// Webhooks on one connection set hardly any deadlines, and nobody watches whether their sender leaves.
// Of other requests the watch goes on.
func TestWebhooksAskLittleOfAConnection(t *testing.T) {
	var l *counting
	r := newRig(t, rigOptions{listener: func(on net.Listener) net.Listener { l = &counting{Listener: on}; return l }})
	c := r.dial()
	answers := bufio.NewReader(c)
	const requests = 100
	for n := range requests {
		body := fmt.Sprintf("body %d", n)
		if _, err := fmt.Fprintf(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nX-Sig: %s\r\nContent-Length: %d\r\n\r\n%s", sign([]byte(body)), len(body), body); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("request %d: %v, %v", n, answer, err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.log.all()); n != requests {
		t.Errorf("%d events are stored, want %d", n, requests)
	}
	if n := l.deadlines.Load(); n == 0 || n > requests/10 {
		t.Errorf("%d requests set %d deadlines, want one for reading and one for writing, and few more", requests, n)
	}
	if n := l.single.Load(); n != 0 {
		t.Errorf("%d reads of a single byte, want none: nobody watches", n)
	}
	// One without a length may have to be read byte by byte, and is watched.
	if _, err := fmt.Fprintf(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nX-Sig: %s\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", sign([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	if answer, err := http.ReadResponse(answers, nil); err != nil || answer.StatusCode != 200 {
		t.Fatalf("in chunks: %v, %v", answer, err)
	}
	waitFor(t, func() bool { return l.single.Load() > 0 }) // the answer may come before
}

// A handler that does not say otherwise hears of a client that leaves.
func TestOthersHearOfAClientThatLeaves(t *testing.T) {
	begun, left := make(chan struct{}), make(chan struct{})
	r := newRig(t, rigOptions{around: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
			close(begun)
			<-q.Context().Done()
			close(left)
		})
	}})
	c := r.dial()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-left:
	case <-time.After(patience):
		t.Error("the handler does not hear of it")
	}
}
