package rebuild

import "testing"

func TestCoresBoundAndAreJoined(t *testing.T) {
	joined := 0
	c := newCores(&Options{Cores: 2, Aside: func() { joined++ }})
	c.join()
	c.take()
	c.take()
	select {
	case c.free <- struct{}{}:
		t.Error("a third core is given out of two")
	default:
	}
	c.give()
	c.take()
	if joined != 1 {
		t.Errorf("aside was called %d times", joined)
	}
	for _, c := range []*cores{nil, newCores(&Options{})} {
		c.join()
		for range 10 {
			c.take() // of no bound
		}
		c.give()
	}
}
