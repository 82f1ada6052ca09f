package stream

import (
	"errors"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// A request whose timer has gone off is nobody else's any more: what the timer says of it, and what the
// committer may say later, would be taken for an answer to another event.
func TestAnOverdueRequestIsNotUsedAgain(t *testing.T) {
	l := &Log{opts: Options{AppendTimeout: time.Minute}}
	overdue := map[*request]bool{}
	for range 50 {
		r := l.newRequest(eventstore.Event{Source: "s"})
		if overdue[r] {
			t.Fatal("a request is used again after its timer has gone off")
		}
		overdue[r] = true
		r.timer.Reset(0)
		if res := <-r.done; !errors.Is(res.err, eventstore.ErrUnavailable) {
			t.Fatalf("its timer says %v", res.err)
		}
		l.encoding.Lock()
		if !r.abandoned || r.event.Source != "" {
			t.Errorf("the committer may still read it: %+v", r.event)
		}
		l.encoding.Unlock()
		r.done <- result{} // the committer, which knows nothing of it yet, waits for nobody
		l.finish(r)
	}
	// One that was answered in time is, sooner or later.
	answered := map[*request]bool{}
	for range 1000 {
		r := l.newRequest(eventstore.Event{Source: "s"})
		if overdue[r] {
			t.Fatal("a request is used again after its timer has gone off")
		}
		if answered[r] {
			return
		}
		answered[r] = true
		r.timer.Reset(time.Minute)
		r.done <- result{}
		<-r.done
		l.finish(r)
	}
	t.Error("no request is ever used again")
}
