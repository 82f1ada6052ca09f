package stream_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// journal is what the log says, all of it.
type journal struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.said.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.said.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// onlyTheLog allows a user what docs/CONFIG.md says that Tidemark needs, and nothing else.
func onlyTheLog(t *testing.T) func(*jwt.UserClaims) {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "CONFIG.md"))
	if err != nil {
		t.Fatal(err)
	}
	list := func(after string) (subjects []string) {
		_, rest, found := strings.Cut(string(doc), after+":\n\n```\n")
		text, _, ended := strings.Cut(rest, "```")
		if !found || !ended {
			t.Fatalf("docs/CONFIG.md has no list after %q", after)
		}
		return strings.Fields(text)
	}
	return func(u *jwt.UserClaims) {
		u.Pub.Allow.Add(list("allow it to publish to")...)
		u.Sub.Allow.Add(list("and to subscribe to")...)
	}
}

// TestACredentialsFile is NATS with an operator, accounts and users: the user may do what the log needs.
func TestACredentialsFile(t *testing.T) {
	o := newOperator(t)
	team := o.account(withJetStream)
	server := startServer(t, o.config(team))
	var said journal
	opts := server.options("")
	opts.Credentials, opts.Logger = team.credentials(onlyTheLog(t)), said.logger()
	opts.Replicas, opts.ProbeAfter = 1, 50*time.Millisecond
	log := start(t, opts)
	for i := range 3 {
		if _, err := log.Append(t.Context(), webhook(i)); err != nil {
			t.Fatal(err)
		}
	}
	stream.Until(t, "a probe succeeds", func() bool { return log.Health() == nil })
	again := log.Reopen(t) // finds the stream, where the first made it
	if groups, err := storetest.ReadAll(t.Context(), again); err != nil || len(groups) != 3 {
		t.Errorf("read %d groups of 3, error %v", len(groups), err)
	}
	if text := said.String(); strings.Contains(text, "level=WARN") || o.shows(text) != "" {
		t.Errorf("something is wrong, or shown: %s", text)
	}
}

// TestCredentialsThatDoNotOpen are each told in words that say what to mend, and at once: waiting
// mends none of them.
func TestCredentialsThatDoNotOpen(t *testing.T) {
	o := newOperator(t)
	team, bare := o.account(withJetStream), o.account(func(*jwt.AccountClaims) {})
	server := startServer(t, o.config(team, bare))
	good := team.credentials(anything)
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, file string
		words      string
		later      bool // it may be mended at the server
	}{
		{"none", "", "set nats.credentials", false},
		{"no file", good + ".gone", "nats.credentials: nats: open " + good + ".gone", false},
		{"an empty file", writeFile(t, "user.creds", ""), "it has to be a .creds file", false},
		{"half a file", writeFile(t, "user.creds", string(text[:len(text)/2])), "it has to be a .creds file", false},
		{"a damaged seed", writeFile(t, "user.creds", strings.Replace(string(text), "\nSU", "\nSX", 1)), "it has to be a .creds file", false},
		{"a damaged token", writeFile(t, "user.creds", strings.Replace(string(text), "eyJ", "eyX", 1)), "(nats.credentials) expired", false},
		{"an account that the server does not know", o.account(withJetStream).credentials(anything), "(nats.credentials) expired", false},
		{"a user of another operator", newOperator(t).account(withJetStream).credentials(anything), "(nats.credentials) expired", false},
		{"an expired user", team.credentials(func(u *jwt.UserClaims) { u.Expires = time.Now().Add(-time.Minute).Unix() }), "(nats.credentials) expired", false},
		{"an account without JetStream", bare.credentials(anything), "give the account JetStream", true},
		{"a user who may not", team.credentials(func(u *jwt.UserClaims) { u.Pub.Deny.Add("$JS.API.STREAM.CREATE.>") }), "docs/CONFIG.md lists the subjects", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said journal
			opts := server.options("")
			opts.Now, opts.Credentials, opts.Logger = time.Now, c.file, said.logger()
			log, err := stream.Open(t.Context(), opts)
			if err == nil {
				log.Close()
				t.Fatal("the log opens")
			}
			if !strings.Contains(err.Error(), c.words) || errors.Is(err, eventstore.ErrUnavailable) != c.later {
				t.Errorf("error %q, want one that says %q; to be tried again: %t", err, c.words, c.later)
			}
			if shown := o.shows(err.Error() + said.String()); shown != "" {
				t.Errorf("%q is shown: %v, %s", shown, err, said.String())
			}
		})
	}
}

// TestCredentialsThatAreTakenAway restarts the server with all users of the account revoked, and then
// as it was.
func TestCredentialsThatAreTakenAway(t *testing.T) {
	o := newOperator(t)
	team := o.account(withJetStream)
	server := startServer(t, o.config(team))
	var said journal
	opts := server.options("")
	opts.Credentials, opts.Logger = team.credentials(anything), said.logger()
	log := start(t, opts)
	if _, err := log.Append(t.Context(), webhook(0)); err != nil {
		t.Fatal(err)
	}
	with, err := os.ReadFile(server.config)
	if err != nil {
		t.Fatal(err)
	}
	restart := func(config []byte) {
		server.kill()
		if err := os.WriteFile(server.config, config, 0o600); err != nil {
			t.Fatal(err)
		}
		server.run()
	}
	restart(bytes.Replace(with, []byte(team.jwt), []byte(team.revoking()), 1))
	stream.Until(t, "health says why, and names no file", func() bool {
		err := log.Health()
		return errors.Is(err, eventstore.ErrUnavailable) && strings.HasSuffix(err.Error(), "authorization violation")
	})
	if _, err := log.Append(t.Context(), webhook(1)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("append: error %v, want ErrUnavailable", err)
	}
	// Health knows a moment before it is logged.
	stream.Until(t, "the log says what to look at", func() bool { return strings.Contains(said.String(), "(nats.credentials) expired or revoked") })
	restart(with)
	appendPatiently(t, log, webhook(2))
	stream.Until(t, "the log is healthy", func() bool { return log.Health() == nil })
	text := said.String()
	if shown := o.shows(text); shown != "" {
		t.Errorf("%q is shown: %s", shown, text)
	}
	if n := strings.Count(text, "authorization violation"); n != 1 {
		t.Errorf("what is refused at each try is logged %d times within a minute: %s", n, text)
	}
}
