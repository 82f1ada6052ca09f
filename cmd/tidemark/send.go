package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
)

// sendFlags are the flags of send.
type sendFlags struct {
	connection, data, at, id, body string
	count, duplicate, workers      int
	shuffle                        bool
	step, skew                     time.Duration
	seed                           uint64
	url, config, dataDir           string
}

func newSend(a *app) *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send SOURCE TYPE --connection ID",
		Short: "Send webhooks, signed like the provider signs them",
		Long: `Send webhooks to a running server, signed like the provider signs them. The secret is the source's in
the configuration (-c, else ./tidemark.yaml), or the one that serve made in the data directory.

With --count the events are --step apart and the last happened at --at. --duplicate, --shuffle and --skew
make the mess that networks and clocks make; the state comes out the same.

stdout gets the ids under which the server stored the events: one for a single event, all of them
with -o json, jsonl or csv.`,
		Example: `  tidemark send makini connection.offline --connection conn_42
  tidemark send makini connection.auth_required --connection conn_42 --data '{"reason":"password changed"}'
  tidemark send makini sync.failed --connection conn_42 --count 500 --duplicate 3 --shuffle`,
		Args: exactly("SOURCE", "TYPE"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			return a.completeSource(cmd, args, typed)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.newMess(args[0], args[1], &f, cmd.Flags().Changed("seed"))
			if err != nil {
				return err
			}
			return a.send(cmd.Context(), p, &f)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.connection, "connection", "", "id of the connection (required)")
	fs.StringVar(&f.data, "data", "", "the event's data, a JSON object")
	fs.StringVar(&f.at, "at", "", "when it happened: RFC 3339, or how long ago (2h) (default: now)")
	fs.StringVar(&f.id, "id", "", "the provider's id of the event (default: a new one)")
	fs.StringVar(&f.body, "body", "", "file with the body to send as it is, for what the other flags cannot express")
	fs.IntVar(&f.count, "count", 1, "how many events")
	fs.IntVar(&f.duplicate, "duplicate", 1, "how often each is delivered")
	fs.BoolVar(&f.shuffle, "shuffle", false, "deliver in random order")
	fs.DurationVar(&f.step, "step", time.Second, "time between one event and the next")
	fs.DurationVar(&f.skew, "skew", 0, "move the time of each event by up to this much, either way")
	fs.Uint64Var(&f.seed, "seed", 0, "make the same random order and skew again (default: another one each time)")
	fs.IntVar(&f.workers, "workers", 0, "requests at once (default: 1, which keeps the order; 16 with --shuffle)")
	fs.StringVar(&f.url, "url", "", "webhook URL (default: --server with /in/SOURCE)")
	fs.StringVarP(&f.config, "config", "c", "", "configuration that holds the source's secret (default: ./tidemark.yaml)")
	fs.StringVar(&f.dataDir, "data-dir", "", "data directory that holds a secret made by serve (default: data_dir of the configuration)")
	for _, name := range []string{"connection", "data", "at", "id", "count", "duplicate", "step", "skew", "seed", "workers", "url"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	return cmd
}

// newMess works out what to send and how it is signed.
func (a *app) newMess(sourceName, kind string, f *sendFlags, seeded bool) (*mess, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	m := &mess{kind: kind, connection: f.connection, copies: f.duplicate, step: f.step, end: a.now().UTC()}
	if f.data != "" {
		m.data = []byte(f.data)
	}
	var err error
	if f.at != "" {
		if m.end, err = a.parseInstant("at", f.at); err != nil {
			return nil, err
		}
	}
	if f.body != "" {
		if m.body, err = os.ReadFile(f.body); err != nil {
			return nil, usage(fmt.Errorf("--body: %w", err), "")
		}
	}
	if err := a.sender(sourceName, f, m); err != nil {
		return nil, err
	}
	seed := f.seed
	if !seeded {
		seed = uint64(a.now().UnixNano())
	}
	m.make(a.now(), f.count, f.id, f.skew, f.shuffle, seed)
	if _, err := m.event(0); err != nil {
		return nil, usage(err, "give the body yourself: --body FILE")
	}
	return m, nil
}

// maxSkew bounds --skew: a hundred years.
const maxSkew = 100 * 365 * 24 * time.Hour

func (f *sendFlags) check() error {
	switch {
	case f.connection == "" && f.body == "":
		return usage(errors.New("--connection is missing"), "which connection is it about? --connection conn_42")
	case f.count < 1 || f.duplicate < 1 || f.workers < 0:
		return usage(errors.New("--count, --duplicate and --workers count from 1"), "")
	case f.step < 0 || f.skew < 0:
		return usage(errors.New("--step and --skew are lengths of time, not negative"), "")
	case f.skew > maxSkew:
		return usage(fmt.Errorf("--skew: no clock is wrong by more than %s", span(maxSkew)), "")
	case f.count > 1 && (f.id != "" || f.body != ""):
		return usage(errors.New("--id and --body describe one event, and --count asks for several"), "the same event several times: --duplicate")
	case f.data != "" && !json.Valid([]byte(f.data)):
		return usage(errors.New("--data is not JSON"), `quote it for the shell: --data '{"reason":"firewall"}'`)
	case f.data != "" && !strings.HasPrefix(strings.TrimSpace(f.data), "{"):
		return usage(errors.New("--data is not a JSON object"), `as in --data '{"reason":"firewall"}'`)
	}
	return nil
}

// sender finds the source in the configuration, and with it how to sign and where to send.
func (a *app) sender(name string, f *sendFlags, m *mess) error {
	cfg, err := a.loadConfig(f.config)
	if err != nil {
		return err
	}
	if f.dataDir != "" {
		cfg.DataDir = f.dataDir
	}
	sources, err := openSources(cfg)
	if err != nil {
		return err
	}
	src, err := pick(sources, name)
	if err != nil {
		return err
	}
	if src.verifier == nil {
		return &failure{fmt.Errorf("there is no secret to sign with: %s holds none", cfg.DataDir), exitError,
			"run this where serve runs, or name what it uses: -c FILE, or --data-dir DIR"}
	}
	m.source, m.def = name, src.def
	if len(src.Secrets) > 0 {
		m.secret = src.Secrets[0]
	}
	m.url = f.url
	if m.url == "" {
		base, err := serverURL(a.server)
		if err != nil {
			return err
		}
		m.url = base + "/in/" + url.PathEscape(name)
	}
	m.post = m.url
	if src.def.TokenInPath() {
		m.post += "/" + url.PathEscape(m.secret.Reveal())
	}
	return nil
}

// send delivers the mess and tells how it went.
func (a *app) send(ctx context.Context, m *mess, f *sendFlags) error {
	workers := f.workers
	if workers == 0 {
		if workers = 1; f.shuffle {
			workers = 16
		}
	}
	d := newDelivery(a, m, workers)
	err := d.run(ctx)
	d.summary()
	if err != nil {
		return err
	}
	a.awaitShown(ctx)
	if m.total() == 1 && m.body == nil {
		fmt.Fprintf(a.stderr, "next: %s show %s\n", a.again(), shellQuote(target{m.source, m.connection}.String()))
	}
	return nil
}

// shownTime is how long send waits, once everything is acknowledged, until it shows.
const shownTime = 5 * time.Second

// awaitShown waits until the server has applied what it has stored by now, so that
// the next command finds it: some milliseconds. Where it cannot be asked, nothing is waited for.
func (a *app) awaitShown(ctx context.Context) {
	c, err := a.client()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, shownTime)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for head := uint64(0); ; {
		body, err := c.get(ctx, "/v1/stats", nil)
		var s api.Stats
		if err != nil || json.Unmarshal(body, &s) != nil {
			return
		}
		if head == 0 {
			head = s.Head
		}
		if s.Checkpoint >= head {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// again is what to type to ask the server that this command talked to.
func (a *app) again() string {
	if a.server == defaultServer || a.env("TIDEMARK_SERVER", "") == a.server {
		return a.self
	}
	return a.self + " --server " + a.server
}

// shellQuote quotes a word for a shell where it needs it.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
