package ingest

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// A deadline that could not be installed is installed before anything waits under it.
func TestADeadlineThatCouldNotBeInstalled(t *testing.T) {
	broken := errors.New("broken")
	var installed time.Time
	fails := broken
	d := deadline{install: func(t time.Time) error {
		if fails == nil {
			installed = t
		}
		return fails
	}}
	want := time.Unix(1_700_000_000, 0)
	if err := d.set(want); err != nil {
		t.Fatalf("nothing waits, and nothing is to be installed: %v", err)
	}
	for range 2 {
		if _, err := d.begin(); !errors.Is(err, broken) {
			t.Errorf("a wait begins without its deadline: %v", err)
		}
	}
	fails = nil
	if _, err := d.begin(); err != nil || !installed.Equal(want) {
		t.Errorf("installed is %v (%v), want %v", installed, err, want)
	}
}

// parts is a network that gives what it has with the end of its deadline.
type parts struct {
	net.Conn
	deadline time.Time
	has      []string
	late     time.Time // a deadline before it is over at every read
}

func (p *parts) SetReadDeadline(t time.Time) error { p.deadline = t; return nil }

func (p *parts) Read(b []byte) (n int, err error) {
	if len(p.has) > 0 {
		n = copy(b, p.has[0])
		p.has = p.has[1:]
	}
	if p.deadline.Before(p.late) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// What came before a deadline that was put off is given to the reader, and not read over.
func TestReadKeepsWhatCameBeforeADeadline(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	under := &parts{has: []string{"ab", "cd", "ef"}}
	c := newConn(under, func() {})
	for i, want := range []string{"ab", "cd", "ef"} {
		if err := c.SetReadDeadline(start.Add(time.Duration(i) * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 2)
		n, err := c.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("read %q, %v, want %q", b[:n], err, want)
		}
		under.late = start.Add(time.Second) // the first is over now, and the second not
	}
}
