package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// TestGreetingPastes pastes the two lines that serve prints for trying it, as a shell
// would run them in the same directory, whatever way it was started.
func TestGreetingPastes(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("pasting needs %s: %v", tool, err)
		}
	}
	for name, args := range map[string][]string{
		"plain":          nil,
		"elsewhere":      {"--data-dir", "the data/dir"},
		"configured":     {"-c", "my config.yaml"},
		"ingest address": {"-c", "my config.yaml", "--ingest-listen", "127.0.0.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeConfig(t, dir, "")
			if err := os.Rename(filepath.Join(dir, "tidemark.yaml"), filepath.Join(dir, "my config.yaml")); err != nil {
				t.Fatal(err)
			}
			s := mustStart(t, dir, args...)
			for _, what := range []string{"try it", "or"} {
				var line string
				for l := range strings.Lines(s.stderr()) {
					if rest, ok := strings.CutPrefix(l, what+" "); ok {
						line = strings.TrimSpace(rest)
					}
				}
				cmd := exec.Command("bash", "-c", line)
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), "01") || strings.Contains(string(out), "warning") {
					t.Errorf("%s: %q: %v: %s", what, line, err, out)
				}
			}
			if err := awaitApplied(s.url, patience); err != nil {
				t.Fatal(err)
			}
			var state struct{ Counts struct{ Events int } }
			if err := getJSON(s.url+"/v1/connections/makini/conn_42", &state); err != nil || state.Counts.Events != 2 {
				t.Errorf("%+v, %v: want the two events that were pasted", state, err)
			}
			if strings.Contains(s.stderr(), testSecret) {
				t.Error("the greeting shows the secret")
			}
		})
	}
}

func TestDurabilityWords(t *testing.T) {
	for _, c := range []struct {
		d    eventstore.Durability
		want []string
	}{
		{eventstore.Durability{Kind: "embedded", Known: true, SyncAlways: true, SyncInterval: "always", Replicas: 1}, []string{"is on disk, fsynced", "one copy", "always"}},
		{eventstore.Durability{Kind: "external", Known: true, SyncAlways: true, SyncInterval: "always", Replicas: 3}, []string{"is on disk, fsynced", "3 copies"}},
		{eventstore.Durability{Kind: "external", Known: true, SyncInterval: "2m0s", Replicas: 3}, []string{"NOT SAFE", "2m0s"}},
		{eventstore.Durability{Kind: "external", Replicas: 1}, []string{"UNKNOWN", "nats.monitor_urls"}},
	} {
		got := durability(c.d)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%+v: %q does not say %q", c.d, got, w)
			}
		}
	}
}
