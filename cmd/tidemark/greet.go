package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/internal/config"
)

// greet tells on stderr, in plain words, what a person needs to begin, and
// last that the server listens.
func (a *app) greet(cfg *config.Config, sources []source, servers []*listening, d eventstore.Durability, projectionsPath string, secretMade bool, f *serveFlags) {
	base := "http://" + servers[0].addr.String()
	webhooks := base
	if len(servers) > 1 {
		webhooks = "http://" + servers[1].addr.String()
	}
	w := tabwriter.NewWriter(a.stderr, 0, 0, 2, ' ', 0)
	say := func(what, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }

	if cfg.File == "" {
		say("config", "built-in defaults: there is no %s here", config.FileName)
	} else {
		say("config", "%s", cfg.File)
	}
	say("data", "%s", absolute(cfg.DataDir))
	say("projections", "%s (made from the log; can be deleted)", absolute(projectionsPath))
	say("durability", "%s", durability(d))
	for _, s := range sources {
		token := ""
		if s.def.TokenInPath() {
			token = "/TOKEN"
		}
		say("webhook URL", "%s/in/%s%s  (%s, %s)", webhooks, s.Name, token, s.def.Title(), proof(s.def.Scheme()))
		if s.Generated {
			made := ""
			if secretMade {
				made = "made now, "
			}
			say("", "its secret: %s  (%sreadable by you alone)", filepath.Join(cfg.DataDir, "makini.secret"), made)
		}
	}
	switch {
	case cfg.Auth.KeysFile != "":
		say("API", "%s/v1, %s/docs  (with a key of %s)", base, base, cfg.Auth.KeysFile)
	case f.insecureNoAuth:
		say("API", "%s/v1, %s/docs  (WITHOUT KEYS: whoever reaches it reads everything, and may rebuild)", base, base)
	default:
		say("API", "%s/v1, %s/docs  (from this machine alone)", base, base)
	}
	if len(sources) > 0 {
		say("try it", "%s", a.tryLine(cfg, &sources[0], base, webhooks, f))
		if line, ok := curlLine(&sources[0], webhooks, a.now()); ok {
			say("or", "%s", line)
		}
	}
	_ = w.Flush() // a stderr that is gone stops no server
	fmt.Fprintf(a.stderr, "listening on %s\n", base)
}

// durability says what a 200 is worth, from what the running server told.
func durability(d eventstore.Durability) string {
	copies := "one copy"
	if d.Replicas > 1 {
		copies = fmt.Sprintf("%d copies", d.Replicas)
	}
	what := fmt.Sprintf("%s NATS JetStream, %s, sync_interval %s as read back from it", d.Kind, copies, d.SyncInterval)
	switch {
	case !d.Known:
		return fmt.Sprintf("UNKNOWN: unless the server's sync_interval is \"always\", a power cut can lose acknowledged webhooks (%s NATS JetStream, %s; to have it read back, set nats.monitor_urls)", d.Kind, copies)
	case !d.SyncAlways:
		return "NOT SAFE: a power cut can lose acknowledged webhooks (" + what + ")"
	}
	return "a webhook answered 200 is on disk, fsynced (" + what + ")"
}

func proof(scheme string) string {
	if scheme == "none" {
		return "NOT PROVEN: anybody can send"
	}
	return "proven by " + scheme
}

// tryLine is a command to paste that sends a first signed webhook to this server.
func (a *app) tryLine(cfg *config.Config, s *source, base, webhooks string, f *serveFlags) string {
	line := []string{a.self, "send", s.Name, "connection.offline", "--connection", "conn_42"}
	if base != defaultServer {
		line = append(line, "--server", base)
	}
	if webhooks != base {
		line = append(line, "--url", webhooks+"/in/"+s.Name)
	}
	if cfg.File != "" && cfg.File != config.FileName {
		line = append(line, "-c", shellQuote(cfg.File))
	}
	if f.dataDir != "" {
		line = append(line, "--data-dir", shellQuote(f.dataDir))
	}
	return strings.Join(line, " ")
}

// curlLine is the same with curl: the signature is made for this one body, so
// the secret is not in it. Only an HMAC of the body alone is printed: other
// schemes send the secret itself, or are good for minutes only.
func curlLine(s *source, webhooks string, now time.Time) (string, bool) {
	if s.def.Scheme() != "hmac" || len(s.Secrets) == 0 {
		return "", false
	}
	b, err := s.def.Compose(providers.Sample{ID: "evt_curl", Type: "connection.online", OccurredAt: now.UTC().Truncate(time.Second), Connection: "conn_42"})
	if err != nil {
		return "", false
	}
	h, err := s.def.Sign(s.Secrets[0], "evt_curl", now, b)
	if err != nil || len(h) != 1 {
		return "", false // more headers than the signature: it is bound to a time or an id
	}
	line := "curl -sS " + webhooks + "/in/" + s.Name
	for name, values := range h {
		line += " -H " + shellQuote(name+": "+values[0])
	}
	return line + " -d " + shellQuote(string(b)), true
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
