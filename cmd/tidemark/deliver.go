package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"
)

const (
	// tries is how often one delivery is tried before the whole run is given up.
	tries = 8
	// longestWait bounds what a Retry-After may ask for.
	longestWait = 10 * time.Second
)

// delivery is one run of send: workers that take the deliveries in turn.
type delivery struct {
	a       *app
	m       *mess
	workers int
	http    *http.Client

	next  atomic.Int64 // of the deliveries
	acked atomic.Int64
	began time.Time

	mu      sync.Mutex
	firsts  []bool // which events were acknowledged
	events  int    // how many
	printer *printer[receipt]
}

// receipt is one acknowledged delivery, as it is printed.
type receipt struct {
	Event      string    `json:"event"`
	ID         string    `json:"id"`
	OccurredAt time.Time `json:"occurred_at"`
}

func newDelivery(a *app, m *mess, workers int) *delivery {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: workers, IdleConnTimeout: 30 * time.Second}
	return &delivery{
		a: a, m: m, workers: workers, http: &http.Client{Transport: transport, Timeout: 30 * time.Second},
		firsts: make([]bool, len(m.ids)),
		printer: newPrinter(a,
			column[receipt]{name: "event", cell: func(s receipt) string { return s.Event }},
			column[receipt]{name: "id", cell: func(s receipt) string { return s.ID }},
			column[receipt]{name: "occurred at", cell: func(s receipt) string { return exact(s.OccurredAt) }},
		),
	}
}

// run delivers everything, or returns why one delivery could not be made.
func (d *delivery) run(ctx context.Context) error {
	d.began = d.a.now()
	ended := make(chan struct{})
	var progress sync.WaitGroup
	progress.Go(func() { d.progress(ended) })
	g, ctx := errgroup.WithContext(ctx)
	for range d.workers {
		g.Go(func() error {
			for ctx.Err() == nil {
				i := int(d.next.Add(1)) - 1
				if i >= d.m.total() {
					return nil
				}
				if err := d.deliver(ctx, d.m.order[i]); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	err := g.Wait()
	close(ended)
	progress.Wait()
	if d.a.format != formatTable {
		err = errors.Join(err, d.printer.close())
	}
	return err
}

// deliver sends one event until it is acknowledged, and waits where the server asks for it.
func (d *delivery) deliver(ctx context.Context, event int) error {
	e, err := d.m.event(event)
	if err != nil {
		return err
	}
	wait := &backoff.ExponentialBackOff{InitialInterval: 200 * time.Millisecond, RandomizationFactor: 0.3, Multiplier: 2, MaxInterval: 5 * time.Second}
	id, err := backoff.Retry(ctx, func() (string, error) { return d.try(ctx, e) },
		backoff.WithBackOff(wait), backoff.WithMaxTries(tries))
	if err != nil {
		return err
	}
	d.acked.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.firsts[event] {
		d.firsts[event] = true
		d.events++
	}
	switch {
	case d.a.format != formatTable:
		return d.printer.item(receipt{id, e.id, e.at})
	case d.m.total() == 1:
		fmt.Fprintln(d.a.stdout, inert(id))
	}
	return nil
}

// try makes one request. What makes no sense to repeat is a backoff.Permanent.
func (d *delivery) try(ctx context.Context, e outgoing) (id string, err error) {
	header, err := d.m.headers(e, d.a.now())
	if err != nil {
		return "", backoff.Permanent(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.m.post, bytes.NewReader(e.body))
	if err != nil {
		// The error may show the URL, and the URL may hold a token.
		return "", backoff.Permanent(usage(fmt.Errorf("%q is no webhook URL", d.m.url), ""))
	}
	req.Header = header
	resp, err := d.http.Do(req)
	if err != nil {
		err = (&client{base: d.m.url, self: d.a.self}).unreachable(err)
		if d.acked.Load() == 0 {
			return "", backoff.Permanent(err) // nobody was ever there
		}
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", d.refused(resp, body)
	}
	var answer struct{ ID string }
	if err := json.Unmarshal(body, &answer); err != nil || answer.ID == "" {
		return "", backoff.Permanent(fmt.Errorf("%s does not answer like Tidemark", d.m.url))
	}
	return answer.ID, nil
}

// refused explains an answer that is no 200, and whether to try again.
func (d *delivery) refused(resp *http.Response, body []byte) error {
	var p struct{ Detail, Code string }
	_ = json.Unmarshal(body, &p) // what is no problem document has no detail to show
	why := fmt.Errorf("the server answers %d: %s", resp.StatusCode, p.Detail)
	switch resp.StatusCode {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			return fmt.Errorf("%w (%w)", why, &backoff.RetryAfterError{Duration: min(time.Duration(s)*time.Second, longestWait)})
		}
		return why
	case http.StatusUnauthorized:
		return backoff.Permanent(&failure{why, exitNotAllowed, "the secret here is not the server's: name its configuration with -c FILE, or its data directory with --data-dir DIR"})
	case http.StatusNotFound:
		return backoff.Permanent(&failure{why, exitError, "the sources that the server was configured with: see what serve printed"})
	}
	return backoff.Permanent(why)
}

// progress keeps a line on a terminal up to date while a long run lasts.
func (d *delivery) progress(ended <-chan struct{}) {
	if !isTerminal(d.a.stderr) {
		return
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			fmt.Fprint(d.a.stderr, "\r\x1b[K")
			return
		case <-tick.C:
			n, seconds := d.acked.Load(), d.a.now().Sub(d.began).Seconds()
			fmt.Fprintf(d.a.stderr, "\r\x1b[K%d of %d acknowledged, %.0f/s", n, d.m.total(), float64(n)/seconds)
		}
	}
}

// summary tells how it went.
func (d *delivery) summary() {
	acked, took := int(d.acked.Load()), d.a.now().Sub(d.began)
	if took <= 0 {
		took = time.Nanosecond
	}
	if d.m.total() == 1 && acked == 1 {
		fmt.Fprintf(d.a.stderr, "acknowledged by %s\n", d.m.url)
		return
	}
	fmt.Fprintf(d.a.stderr, "%s: %d of %d deliveries acknowledged (%s, %s), %d failed, %.0f/s\n",
		d.m.url, acked, d.m.total(), count(d.events, "event"), count(acked-d.events, "duplicate"), d.m.total()-acked, float64(acked)/took.Seconds())
}
