package rebuild

import (
	"time"

	"golang.org/x/sync/errgroup"
)

// cores bounds how many goroutines of a rebuild compute at a time, so that a process that serves
// beside it has a core left: a request never waits until one of them has used up its turn. Each takes a
// core for a piece of work that waits for no other of them, and gives it back. A nil cores bounds nothing.
type cores struct {
	free  chan struct{} // nil for no bound
	aside func()
	rest  func()
	now   func() time.Time
}

// newCores returns those that the options say.
func newCores(o *Options) *cores {
	c := &cores{aside: o.Aside, rest: o.Rest, now: o.Now}
	if o.Cores > 0 {
		c.free = make(chan struct{}, o.Cores)
	}
	return c
}

// join is called by a goroutine once, before all else.
func (c *cores) join() {
	if c != nil && c.aside != nil {
		c.aside()
	}
}

func (c *cores) take() {
	if c != nil && c.free != nil {
		c.free <- struct{}{}
	}
}

func (c *cores) give() {
	if c != nil && c.free != nil {
		<-c.free
	}
}

// apart runs f and returns its error. Where goroutines that compute step aside it does so in one of its own.
func (c *cores) apart(f func() error) error {
	if c == nil || c.aside == nil {
		return f()
	}
	var group errgroup.Group
	group.Go(func() error {
		c.join()
		return f()
	})
	return group.Wait()
}
