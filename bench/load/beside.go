package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/tidemark-dev/tidemark/bench/stats"
	"github.com/tidemark-dev/tidemark/bench/webhook"
)

// Beside times GET of one state while webhooks come in, first with nothing else at work and then
// from the start of a rebuild until its generation serves.
type Beside struct {
	Background Load `json:"-"`
	// Readers ask for the states of Connections, Rate questions a second together, whatever the
	// server does: an answer is timed from the moment the question was due.
	Readers, Rate, Connections int
	Seed                       uint64
	// For is how long the first part takes, Limit the longest that the second may take.
	For, Limit time.Duration
}

// Besides is what Beside met.
type Besides struct {
	Alone  Phase `json:"alone"`
	During Phase `json:"during"`
	// Rebuild is how long it took, from the request until it had taken over.
	Rebuild time.Duration `json:"rebuild_ns"`
	// Changed is how many connections the new generation says something else of. It is to be none.
	Changed int `json:"changed"`
}

// Phase is one part of it.
type Phase struct {
	Webhooks Result        `json:"webhooks"`
	Gets     stats.Latency `json:"gets"`
	// Backward counts answers in which a connection had fewer events than in an earlier one.
	Backward int `json:"backward"`
}

// Run returns an error if a webhook or a question was refused, or if the rebuild did not take over.
func (b Beside) Run() (Besides, error) {
	var out Besides
	var err error
	if out.Alone, err = b.phase(b.For, func() error { time.Sleep(b.For); return nil }); err != nil {
		return out, err
	}
	out.During, err = b.phase(b.Limit, func() (err error) {
		start := time.Now()
		out.Changed, err = b.rebuild()
		out.Rebuild = time.Since(start)
		return err
	})
	return out, err
}

// phase has webhooks sent and questions asked until do returns.
func (b Beside) phase(limit time.Duration, do func() error) (Phase, error) {
	var (
		out  Phase
		wait sync.WaitGroup
		mu   sync.Mutex
		took []time.Duration
		errs []error
		stop = make(chan struct{})
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}
	background := b.Background
	background.For, background.Stop = limit, stop
	wait.Go(func() {
		result, err := background.Run()
		if err == nil && len(result.Refused) > 0 {
			err = fmt.Errorf("webhooks were refused: %v", result.Refused)
		}
		if out.Webhooks = result; err != nil {
			fail(err)
		}
	})
	for n := range b.Readers {
		wait.Go(func() {
			samples, backward, err := b.read(n, stop)
			if err != nil {
				fail(err)
			}
			mu.Lock()
			defer mu.Unlock()
			took, out.Backward = append(took, samples...), out.Backward+backward
		})
	}
	err := do()
	close(stop)
	wait.Wait()
	out.Gets = stats.Summarise(took)
	// What was sent in the first part is not sent again in the second.
	b.Background.Requests.Drop(out.Webhooks.Sent)
	return out, errors.Join(append(errs, err)...)
}

// read asks until stop is closed.
func (b Beside) read(n int, stop <-chan struct{}) (took []time.Duration, backward int, err error) {
	conn, err := Dial(b.Background.Addr)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()
	rng := rand.New(rand.NewPCG(b.Seed, uint64(n)))
	seen := map[int]int{}
	every := time.Duration(b.Readers) * time.Second / time.Duration(b.Rate)
	for due := time.Now().Add(every * time.Duration(n) / time.Duration(b.Readers)); ; due = due.Add(every) {
		select {
		case <-stop:
			return took, backward, nil
		case <-time.After(time.Until(due)):
		}
		which := rng.IntN(b.Connections)
		path := StatePath(webhook.ConnectionID(which))
		status, body, _, err := conn.Do(Get(b.Background.Addr, path))
		took = append(took, time.Since(due))
		if err != nil {
			return took, backward, err
		}
		var state struct {
			Counts struct{ Events int }
		}
		if status != 200 {
			return took, backward, fmt.Errorf("GET %s was answered with %d: %s", path, status, body)
		}
		if err := json.Unmarshal(body, &state); err != nil {
			return took, backward, fmt.Errorf("GET %s: %w", path, err)
		}
		if state.Counts.Events < seen[which] {
			backward++
		}
		seen[which] = state.Counts.Events
	}
}

// rebuild begins one, waits until it has taken over, and returns how many connections differ.
func (b Beside) rebuild() (changed int, err error) {
	var job struct {
		ID, State, Error string
		Report           *struct{ Added, Removed, Changed int }
	}
	client := http.Client{Timeout: 30 * time.Second}
	ask := func(method, path string, body io.Reader) error {
		request, err := http.NewRequest(method, "http://"+b.Background.Addr+path, body)
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode/100 != 2 {
			err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &job)
	}
	if err := ask("POST", "/v1/rebuilds", bytes.NewReader([]byte("{}"))); err != nil {
		return 0, err
	}
	for begun := time.Now(); time.Since(begun) < b.Limit; time.Sleep(50 * time.Millisecond) {
		if err := ask("GET", "/v1/rebuilds/"+job.ID, nil); err != nil {
			return 0, err
		}
		switch job.State {
		case "promoted":
			if job.Report == nil {
				return 0, errors.New("the rebuild took over without a report")
			}
			return job.Report.Added + job.Report.Removed + job.Report.Changed, nil
		case "failed", "cancelled", "reported":
			return 0, fmt.Errorf("the rebuild is %s: %s", job.State, job.Error)
		}
	}
	return 0, fmt.Errorf("the rebuild is %s after %v", job.State, b.Limit)
}
