package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidemark-dev/tidemark/bench/stats"
	"github.com/tidemark-dev/tidemark/bench/webhook"
)

// Visible times how long a webhook that was answered with 200 takes until the
// state it implies can be read, while a Background load is on the server.
type Visible struct {
	Background Load `json:"-"`
	// Probes is how many probes run beside each other. Each has a connection of
	// its own, sends one webhook about it every Every, and asks for its state
	// until the webhook is counted there.
	Probes int
	Every  time.Duration
	For    time.Duration
}

// Visibility is what Visible met.
type Visibility struct {
	Background Result `json:"background"`
	// Lag is the time from the 200 until the answer that shows the webhook. It
	// overstates by the time between two questions (askAgain) and one answer.
	Lag stats.Latency `json:"lag"`
	// Probes is how many probes were sent a second, beside the background.
	Probes float64 `json:"probes_per_second"`
}

const (
	askAgain = 500 * time.Microsecond
	giveUp   = 10 * time.Second
)

// Run returns an error if a probe's webhook was refused or not seen for ten seconds.
func (v Visible) Run() (Visibility, error) {
	var (
		out     Visibility
		wait    sync.WaitGroup
		mu      sync.Mutex
		lags    []time.Duration
		failure error
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failure = errors.Join(failure, err)
	}
	wait.Go(func() {
		result, err := v.Background.Run()
		out.Background = result
		if err != nil {
			fail(err)
		}
	})
	start := time.Now()
	for n := range v.Probes {
		wait.Go(func() {
			first := start.Add(v.Every * time.Duration(n) / time.Duration(v.Probes))
			seen, err := v.probe(n, first, start.Add(v.For))
			if err != nil {
				fail(err)
			}
			mu.Lock()
			defer mu.Unlock()
			lags = append(lags, seen...)
		})
	}
	wait.Wait()
	out.Lag = stats.Summarise(lags)
	out.Probes = float64(len(lags)) / v.For.Seconds()
	return out, failure
}

// probe sends a webhook at from and every v.Every until the end.
func (v Visible) probe(n int, from, end time.Time) ([]time.Duration, error) {
	conn, err := Dial(v.Background.Addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	id := fmt.Sprintf("probe_%d_%d", from.UnixNano(), n)
	var lags []time.Duration
	for at := from; at.Before(end); at = at.Add(v.Every) {
		time.Sleep(time.Until(at))
		delivery := fmt.Sprintf("%s_%d", id, len(lags))
		status, body, _, err := conn.Do(webhook.Single(v.Background.Addr, delivery, id, time.Now()))
		if err != nil {
			return lags, err
		}
		if status != 200 {
			return lags, fmt.Errorf("a probe was answered with %d: %s", status, body)
		}
		lag, err := seen(conn, v.Background.Addr, id, len(lags)+1)
		if err != nil {
			return lags, err
		}
		lags = append(lags, lag)
	}
	return lags, nil
}

// seen asks for a connection's state until it counts so many events.
func seen(conn *Conn, addr, id string, events int) (time.Duration, error) {
	acknowledged := time.Now()
	request := Get(addr, StatePath(id))
	for {
		status, body, _, err := conn.Do(request)
		if err != nil {
			return 0, err
		}
		var state struct {
			Counts struct{ Events int }
		}
		switch status {
		case 200:
			if err := json.Unmarshal(body, &state); err != nil {
				return 0, fmt.Errorf("state of %s: %w", id, err)
			}
		case 404:
		default:
			return 0, fmt.Errorf("asking for %s was answered with %d: %s", id, status, body)
		}
		since := time.Since(acknowledged)
		if state.Counts.Events >= events {
			return since, nil
		}
		if since > giveUp {
			return 0, fmt.Errorf("event %d of %s was acknowledged %v ago and is not visible", events, id, since)
		}
		time.Sleep(askAgain)
	}
}

// StatePath returns the path of a connection's state.
func StatePath(connection string) string { return "/v1/connections/makini/" + connection }
