package ingest

import (
	"errors"
	"os"
	"sync"
	"time"
)

// deadline installs a connection's deadline only where it is needed: net/http sets eight for each request, and
// nearly all are put off again before anything waits. One that is earlier than what is wanted may stay; it
// fires for nothing at times, and then the later one is installed. None fires late. Safe for concurrent use.
type deadline struct {
	install func(time.Time) error

	mu    sync.Mutex
	users int       // that wait under it, or may
	want  time.Time // zero for none
	have  time.Time // as installed
	turn  int       // counts what was installed
	fired bool      // have is past, or is not installed: nothing is to wait under it
}

// set wants another deadline, from now on.
func (d *deadline) set(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.want = t
	if d.users > 0 {
		return d.renew()
	}
	return nil
}

func (d *deadline) renew() error {
	d.turn++
	d.have = d.want
	err := d.install(d.want)
	d.fired = err != nil // then it is tried anew
	return err
}

// begin is called before something that may wait, end afterwards with what begin returned, unless that is an error.
func (d *deadline) begin() (turn int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fired || !d.early() {
		if err := d.renew(); err != nil {
			return 0, err
		}
	}
	d.users++
	return d.turn, nil
}

// early reports whether what is installed fires no later than what is wanted.
func (d *deadline) early() bool {
	switch {
	case d.have.Equal(d.want):
		return true
	case d.have.IsZero():
		return false
	}
	return d.want.IsZero() || d.have.Before(d.want)
}

// end says how it ended, and learns whether it is to be done again: it was another deadline than the one that is wanted.
func (d *deadline) end(turn int, err error) (again bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users--
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	if turn != d.turn {
		return true
	}
	d.fired = true
	return !d.have.Equal(d.want)
}
