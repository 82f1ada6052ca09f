package stream

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
)

// TestAStoppedServerIsRestarted shuts the embedded server down behind the log's back.
func TestAStoppedServerIsRestarted(t *testing.T) {
	l := openRunning(t, Options{Dir: t.TempDir()})
	for i := range 3 {
		if _, err := l.Append(t.Context(), storetest.Sample(i)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := l.Follow(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := l.link.Load()
	first.server.srv.Shutdown()
	Until(t, "the server is replaced", func() bool { lk := l.link.Load(); return lk != nil && lk != first })
	Until(t, "an append succeeds", func() bool {
		_, err := l.Append(t.Context(), storetest.Sample(3))
		if err != nil && !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatalf("append: error %v, want ErrUnavailable", err)
		}
		return err == nil
	})
	for p := eventstore.Position(2); p <= 4; {
		g, err := c.Next(t.Context())
		switch {
		case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, eventstore.ErrIdle):
		case err != nil || g.Position != p:
			t.Fatalf("position %d, error %v; want position %d", g.Position, err, p)
		default:
			p++
		}
	}
	Until(t, "the log is healthy", func() bool { return l.Health() == nil })
}

// TestAFailedSyncEndsTheLog lets the server report what it reports when the disk fails: nobody
// knows what is on it, so the log must not go on in place.
func TestAFailedSyncEndsTheLog(t *testing.T) {
	l, ended := openWithRun(t, Options{Dir: t.TempDir()})
	defer l.Close()
	if _, err := l.Append(t.Context(), storetest.Sample(0)); err != nil {
		t.Fatal(err)
	}
	cause := &fs.PathError{Op: "sync", Path: "1.blk", Err: syscall.EIO}
	l.link.Load().server.log.Errorf("JetStream stream '%s > %s' critical write error: %v", "$G", "TIDEMARK_EVENTS", cause)
	err := <-ended
	if !errors.Is(err, eventstore.ErrIntegrity) || !errors.Is(err, syscall.EIO) {
		t.Errorf("run: error %v, want an ErrIntegrity that names the cause", err)
	}
	if _, err := l.Append(t.Context(), storetest.Sample(1)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("append: error %v, want an ErrUnavailable", err)
	}
	if err := l.Health(); err == nil {
		t.Error("the log says it is healthy")
	}
}

func TestWhichFailedWritesMayBeRepeated(t *testing.T) {
	for _, c := range []struct {
		err  error
		full bool
	}{
		{&fs.PathError{Op: "write", Err: syscall.ENOSPC}, true},
		{&fs.PathError{Op: "open", Err: syscall.EDQUOT}, true},
		{&fs.PathError{Op: "sync", Err: syscall.ENOSPC}, false},
		{&fs.PathError{Op: "write", Err: syscall.EIO}, false},
		{errors.New("no space left on device"), false},
	} {
		if got := isFull(c.err); got != c.full {
			t.Errorf("%v: full disk %t, want %t", c.err, got, c.full)
		}
	}
}
