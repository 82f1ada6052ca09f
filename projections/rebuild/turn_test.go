package rebuild

import (
	"testing"
	"time"
)

// Who computes rests once it has done so for a stint, however long the steps were, and keeps the core so that nobody
// computes in its place.
func TestTurn(t *testing.T) {
	var clock time.Time
	rests := 0
	var c *cores
	c = newCores(&Options{Cores: 1, Now: func() time.Time { return clock }, Rest: func() {
		if rests++; len(c.free) != 1 {
			t.Error("it rests and somebody else may take its core")
		}
		clock = clock.Add(time.Hour) // a rest counts as nobody's work
	}})
	c.take()
	turn := c.turn()
	for i, pass := range []struct {
		steps int
		takes time.Duration
		rests int // by then
	}{
		{glance - 1, time.Minute, 0}, // the clock was not looked at yet
		{1, 0, 1},
		{glance, Stint - 1, 1},
		{glance, 1, 2},
		{5 * glance, Stint + Stint/2, 3},
		{glance, Stint / 2, 3},
		{glance, Stint / 2, 4},
	} {
		clock = clock.Add(pass.takes)
		if turn.step(pass.steps); rests != pass.rests {
			t.Errorf("after step %d it had rested %d times, want %d", i, rests, pass.rests)
		}
	}
}

// Nobody rests where nobody says how, or where there is no clock to go by.
func TestTurnOfNobody(t *testing.T) {
	rest := func() { t.Error("it rested") }
	for _, o := range []Options{{Now: time.Now}, {Rest: rest}} {
		o = o.withDefaults()
		turn := o.cores.turn()
		for range 100 * glance {
			turn.step(glance)
		}
	}
	var none *cores
	none.turn().step(glance)
}
