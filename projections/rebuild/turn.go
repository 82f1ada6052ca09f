package rebuild

import "time"

// Stint is how long a goroutine of a rebuild goes on before it is to rest.
const Stint = 500 * time.Microsecond

// glance is how many steps lie between two looks at the clock: some ten microseconds.
const glance = 16

// turn is how long a goroutine has gone on since it last rested. A nil turn never rests.
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
// core that the goroutine has, so that nobody else of the rebuild computes in its place. A core that was waited for
// counts as if it had been had: where several take turns on one, somebody rests for each quarter of a millisecond that they compute.
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
