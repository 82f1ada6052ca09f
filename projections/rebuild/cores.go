package rebuild

// cores bounds how many goroutines of a rebuild compute at a time, so that a process that serves
// beside it has a core left: a request never waits until one of them has used up its turn. Each takes a
// core for a piece of work that waits for no other of them, and gives it back. A nil cores bounds nothing.
type cores chan struct{}

func newCores(n int) cores {
	if n <= 0 {
		return nil
	}
	return make(cores, n)
}

func (c cores) take() {
	if c != nil {
		c <- struct{}{}
	}
}

func (c cores) give() {
	if c != nil {
		<-c
	}
}
