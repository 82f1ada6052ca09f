package load

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tidemark-dev/tidemark/bench/stats"
	"github.com/tidemark-dev/tidemark/bench/webhook"
)

// Gets asks for the states of connections drawn at random, one at a time.
type Gets struct {
	Addr        string
	Connections int
	// Rate is questions a second. It is to be low: what is timed is one answer,
	// not a queue.
	Rate int
	For  time.Duration
	Seed uint64
}

// Run returns the time from the question to the whole answer, as the client
// sees it: the server's own time is shorter.
func (g Gets) Run() (stats.Latency, error) {
	conn, err := Dial(g.Addr)
	if err != nil {
		return stats.Latency{}, err
	}
	defer conn.Close()
	rng := rand.New(rand.NewPCG(g.Seed, 1))
	var samples []time.Duration
	start := time.Now()
	for at := start; at.Before(start.Add(g.For)); at = at.Add(time.Second / time.Duration(g.Rate)) {
		time.Sleep(time.Until(at))
		path := StatePath(webhook.ConnectionID(rng.IntN(g.Connections)))
		status, body, took, err := conn.Do(Get(g.Addr, path))
		if err != nil {
			return stats.Latency{}, err
		}
		if status != 200 {
			return stats.Latency{}, fmt.Errorf("GET %s was answered with %d: %s", path, status, body)
		}
		samples = append(samples, took)
	}
	return stats.Summarise(samples), nil
}
