package rebuild

import "time"

// Stint is how long a goroutine of a rebuild computes before it is to rest.
const Stint = 500 * time.Microsecond

// glance is how many steps lie between two looks at the clock: some ten microseconds.
const glance = 16

// turn is what a goroutine has computed since it last rested. A nil turn never rests.
type turn struct {
	cores *cores
	steps int
	began time.Time
}

// turn begins one, nil where nobody is to rest.
func (c *cores) turn() *turn {
	if c == nil || c.rest == nil {
		return nil
	}
	return &turn{cores: c, began: c.now()}
}

// step is called between pieces of work, of which n, each about a row or an event, are done. It may rest, with the
// core that the goroutine has, so that nobody else of the rebuild computes in its place. What the goroutine waited
// for meanwhile counts as work: who does not know better rests once too often.
func (t *turn) step(n int) {
	if t == nil {
		return
	}
	if t.steps += n; t.steps < glance {
		return
	}
	t.steps = 0
	if t.cores.now().Sub(t.began) < Stint {
		return
	}
	t.cores.rest()
	t.began = t.cores.now()
}
