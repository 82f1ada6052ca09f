package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/projections/connections"
)

const (
	// watchSilence is how long a watch may be silent: the server says something more often.
	watchSilence = time.Minute
	watchPause   = time.Second // before a watch that broke off is begun again
)

// errEnough ends a watch that has printed as many states as it was asked for.
var errEnough = errors.New("enough")

func newWatch(a *app) *cobra.Command {
	var source, prefix, after string
	var healths []string
	var limit int
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print states as they change, until Ctrl-C",
		Long: `Print states as they change, until Ctrl-C. When the connection breaks or the server restarts, the watch
goes on where it stood: a state may come twice, and none is left out. Several changes of one connection in short
order may come as one. With -o json each state is an object of its own.`,
		Example: `  tidemark watch --health offline --health failing
  tidemark watch --after 0 -o jsonl | jq -r .connection`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if err := setFilters(query, source, prefix, healths); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			w := &watch{app: a, client: c, query: query, last: after, limit: limit}
			w.printer = newPrinter(a, connectionColumns(a)...)
			err = w.run(ctx)
			if errors.Is(err, errEnough) || ctx.Err() != nil {
				return nil
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&source, "source", "", "only connections of this source")
	f.StringArrayVar(&healths, "health", nil, "only states of this health (repeatable)")
	f.StringVar(&prefix, "q", "", "only connections whose id begins with this")
	f.StringVar(&after, "after", "", "begin with what changed behind this position; 0 for all there is (default: from now on)")
	f.IntVar(&limit, "limit", 0, "end after this many states (0: never)")
	_ = cmd.RegisterFlagCompletionFunc("source", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return a.completeSource(cmd, nil, typed)
	})
	_ = cmd.RegisterFlagCompletionFunc("health", cobra.FixedCompletions(connections.HealthNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// watch is a watch over as many requests as it takes.
type watch struct {
	*app
	client  *client
	query   url.Values
	printer *printer[connections.State]
	last    string // the id to come back with
	limit   int
	n       int
	open    bool // the server has answered
}

// run watches until ctx ends, there is enough, or the server refuses. Only at
// first is a server that does not answer an error: later it is waited for.
func (w *watch) run(ctx context.Context) error {
	for told := false; ; {
		opened := false
		err := w.once(ctx, &opened)
		var f *failure
		lost := err == nil || errors.Is(err, errNotNow) || errors.As(err, &f) && f.code == exitUnreachable
		if ctx.Err() != nil || !lost || !w.open {
			return err
		}
		if opened {
			told = false
		}
		if err != nil && !told { // an end without an error is nothing to talk about
			fmt.Fprintf(w.stderr, "%s; trying again until Ctrl-C\n", inert(err.Error()))
			told = true
		}
		pause := time.NewTimer(watchPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// once is one request, until it ends.
func (w *watch) once(ctx context.Context, opened *bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := w.client.open(ctx, "/v1/watch", w.query, "Last-Event-ID", w.last)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	w.open, *opened = true, true
	silent := time.AfterFunc(watchSilence, cancel)
	defer silent.Stop()
	lines := bufio.NewReader(body)
	var id, event string
	var data []byte
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return w.ended(ctx, err)
		}
		silent.Reset(watchSilence)
		name, value, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			id = string(value)
		case "event":
			event = string(value)
		case "data":
			data = append(data, value...)
		case "":
			if len(bytes.TrimSpace(line)) > 0 {
				continue // a comment
			}
			if err := w.block(event, data); err != nil {
				return err
			}
			if id != "" { // only now: what it belongs to is printed
				w.last = id
			}
			id, event, data = "", "", data[:0]
		}
	}
}

// ended says what the end of an answer means: the server ends each one now and then.
func (w *watch) ended(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	if ctx.Err() != nil {
		err = errors.New("it fell silent")
	}
	return w.client.unreachable(err)
}

// block takes one event.
func (w *watch) block(event string, data []byte) error {
	switch event {
	case "state":
	case "error":
		var p struct{ Detail string }
		_ = json.Unmarshal(data, &p) // without its words it is an error all the same
		fmt.Fprintln(w.stderr, "the server ends the watch: "+inert(p.Detail))
		return nil
	default:
		return nil
	}
	if err := w.print(data); err != nil {
		return err
	}
	if w.n++; w.limit > 0 && w.n >= w.limit {
		return errEnough
	}
	return nil
}

// print prints a state at once: whoever reads a pipe waits for it.
func (w *watch) print(state []byte) error {
	switch w.format {
	case formatJSON, formatJSONL:
		return w.printJSON(state)
	case formatCSV:
		if err := w.printer.raw(state); err != nil {
			return err
		}
		w.printer.csv.Flush()
		return w.printer.out.Flush()
	}
	var s connections.State
	if err := json.Unmarshal(state, &s); err != nil {
		return fmt.Errorf("the server answers in a form that this program does not read: %w", err)
	}
	health := fmt.Sprintf("%-15s", s.Health)
	if w.colours() {
		health = healthTint(s.Health).paint(health)
	}
	line := fmt.Sprintf("%-24s  %s  %s  %s", instant(deref(s.LastReceived)), health, inert(target{s.Source, s.Connection}.String()), inert(s.HealthReason))
	_, err := fmt.Fprintln(w.stdout, strings.TrimRight(line, " "))
	return err
}
