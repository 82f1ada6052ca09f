// Bench measures Tidemark side by side with PostgreSQL and with a handler that
// stores nothing, on this machine, and writes the tables of docs/PERFORMANCE.md:
//
//	cd bench && go run . -out ../docs/PERFORMANCE.md
//
// It starts and stops everything by itself: PostgreSQL 15 (-postgres names its
// programs), the handlers, the real `tidemark serve` built from this tree.
// -measure chooses measurements, -runs and -duration say how much of each. Raw
// figures stay in bench/results; -report writes the tables from them again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tidemark-dev/tidemark/bench/report"
	"github.com/tidemark-dev/tidemark/bench/tidemark"
)

// bench is one run of the whole program.
type bench struct {
	dir         string // where every side keeps its data: one disk for all
	results     string
	postgresBin string
	binary      string
	body        int
	seed        uint64
	runs        int
	warm        time.Duration
	duration    time.Duration
	senders     []int
	pools       []int // none: pgx's own, 16 and 32
	connections int
	events      int
	// The histories of rebuilds: where they are kept, how long they are, of how many connections each, and
	// how many events a message holds that was written under load.
	cache              string
	histories          []int
	historyConnections []int
	group              int
}

// measurements are what -measure chooses from, in the order they are taken.
var measurements = []struct {
	name string
	take func(*bench, context.Context) error
	// serve is whether it starts `tidemark serve`.
	serve bool
}{
	{"ceilings", (*bench).ceilings, false},
	{"throughput", (*bench).throughput, true},
	{"visible", (*bench).visible, true},
	{"late", (*bench).late, false},
	{"large", (*bench).large, true},
	{"beside", (*bench).beside, true},
	{"rebuild", (*bench).rebuild, false},
	{"past", (*bench).past, false},
	{"mapping", (*bench).mapping, false},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) == 3 && strings.HasPrefix(os.Args[1], "role:") {
		err = playRole(ctx, os.Args[1], os.Args[2])
	} else {
		err = run(ctx, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	var names []string
	for _, m := range measurements {
		names = append(names, m.name)
	}
	b := &bench{warm: 500 * time.Millisecond}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	out := flags.String("out", "", "the page whose tables are written; empty: none")
	chosen := flags.String("measure", strings.Join(names, ","), "what to measure")
	only := flags.Bool("report", false, "measure nothing, write the tables from the figures that are stored")
	root := flags.String("root", "..", "the module that holds cmd/tidemark")
	binary := flags.String("binary", "", "a tidemark binary to use instead of building one")
	peers := flags.Bool("peers-only", false, "leave Tidemark out of the throughput measurement")
	senders := flags.String("senders", "1,64,256", "numbers of senders")
	pools := flags.String("pools", "", "sizes of the PostgreSQL connection pool; empty: pgx's own, 16 and 32. pgx's own and the fastest are judged")
	flags.StringVar(&b.dir, "dir", "/var/tmp", "directory on the disk that is to be measured")
	flags.StringVar(&b.results, "results", "results", "directory for the raw figures")
	flags.StringVar(&b.postgresBin, "postgres", "/usr/lib/postgresql/15/bin", "directory of initdb and postgres")
	flags.IntVar(&b.body, "body", 600, "bytes of a webhook's body")
	flags.Uint64Var(&b.seed, "seed", 1, "seed of the webhooks")
	flags.IntVar(&b.runs, "runs", 5, "runs of each measurement")
	flags.DurationVar(&b.duration, "duration", 5*time.Second, "length of one run")
	flags.IntVar(&b.connections, "connections", 100_000, "connections of the large server")
	flags.IntVar(&b.events, "events", 1_000_000, "events of the large server")
	histories := flags.String("history", "1000000", "events of the histories that are rebuilt: 1000000,10000000 for both lengths")
	historyConnections := flags.String("history-connections", "10000,100000", "connections of the histories")
	flags.IntVar(&b.group, "history-group", 32, "events a message of the histories that were written under load")
	flags.StringVar(&b.cache, "cache", "", "directory to keep the histories in between runs; empty: tidemark-bench-cache in -dir")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	var err error
	if b.senders, err = numbers(*senders); err != nil {
		return fmt.Errorf("-senders: %w", err)
	}
	if *pools != "" {
		if b.pools, err = numbers(*pools); err != nil {
			return fmt.Errorf("-pools: %w", err)
		}
	}
	if b.histories, err = numbers(*histories); err != nil {
		return fmt.Errorf("-history: %w", err)
	}
	if b.historyConnections, err = numbers(*historyConnections); err != nil {
		return fmt.Errorf("-history-connections: %w", err)
	}
	if b.cache == "" {
		b.cache = filepath.Join(b.dir, "tidemark-bench-cache")
	}
	if !*only {
		if err := b.measure(ctx, strings.Split(*chosen, ","), *root, *binary, *peers); err != nil {
			return err
		}
	}
	if *out == "" {
		return nil
	}
	return write(*out, b.results)
}

// write puts the tables of the stored figures into the page.
func write(page, results string) error {
	figures, err := report.Load(results)
	if err != nil {
		return err
	}
	before, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	after, err := report.Fill(before, figures.Tables())
	if err != nil {
		return err
	}
	return os.WriteFile(page, after, 0o644)
}

// measure takes the chosen measurements.
func (b *bench) measure(ctx context.Context, chosen []string, root, binary string, peers bool) error {
	remove, err := b.makeDir()
	if err != nil {
		return err
	}
	defer remove()
	serve := false
	for _, m := range measurements {
		serve = serve || m.serve && slices.Contains(chosen, m.name)
	}
	if b.binary = binary; binary == "" && !peers && serve {
		b.binary = filepath.Join(b.dir, "tidemark")
		if err := tidemark.Build(ctx, root, b.binary); err != nil {
			return err
		}
	}
	for _, m := range measurements {
		if !slices.Contains(chosen, m.name) {
			continue
		}
		if err := m.take(b, ctx); err != nil {
			return fmt.Errorf("measuring %s: %w", m.name, err)
		}
	}
	return nil
}

// makeDir makes the directory for the data of all sides.
func (b *bench) makeDir() (remove func(), err error) {
	if kind := report.Filesystem(b.dir); strings.HasPrefix(kind, "tmpfs") {
		return nil, fmt.Errorf("%s is memory (%s): nothing there is durable; name a directory on a disk with -dir", b.dir, kind)
	}
	made, err := os.MkdirTemp(b.dir, "tidemark-bench-*")
	if err != nil {
		return nil, err
	}
	// PostgreSQL may run as another user and has to find its way down.
	if err := os.Chmod(made, 0o755); err != nil {
		return nil, errors.Join(err, os.RemoveAll(made))
	}
	b.dir = made
	return func() { os.RemoveAll(made) }, nil
}

// scratch returns an empty directory for one side, and how to be rid of it.
func (b *bench) scratch(name string) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(b.dir, name+"-*")
	if err != nil {
		return "", nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}

func (b *bench) measured() report.Measured {
	return report.Measured{At: time.Now().UTC().Truncate(time.Second), Machine: report.ThisMachine(b.dir, b.postgresBin)}
}

// say tells the person who waits how far we are.
func (b *bench) say(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
}

func numbers(list string) ([]int, error) {
	var out []int
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number above zero", word)
		}
		out = append(out, n)
	}
	return out, nil
}
