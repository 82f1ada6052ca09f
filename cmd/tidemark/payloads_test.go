package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// TestPayloadsOfTheirRepositories posts the fixtures of the providers that have no library to sign
// with to the program, and finds each where it belongs: Airbyte's under a token, which is no
// signature, and Plaid's signed with a key of our own, which the program fetches.
func TestPayloadsOfTheirRepositories(t *testing.T) {
	key := newKey(t)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q map[string]string
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		answerKey(t, w, key, q["key_id"])
	}))
	defer keys.Close()
	dir := t.TempDir()
	config := fmt.Sprintf(`data_dir: data
sources:
  airbyte: {provider: airbyte, secrets: [a-long-random-token]}
  plaid:
    provider:
      extends: plaid
      signature: {keys: {url: %q}}
    secrets: ["id_1:secret"]
`, keys.URL)
	if err := os.WriteFile(filepath.Join(dir, "tidemark.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	server := mustStart(t, dir)
	for _, c := range []struct {
		source, path string
		signed       bool
	}{
		{"airbyte", "airbyte/a-long-random-token", false},
		{"plaid", "plaid", true},
	} {
		t.Run(c.source, func(t *testing.T) {
			fixtures, err := providers.BuiltinFixtures(c.source)
			if err != nil {
				t.Fatal(err)
			}
			ids := make([]string, len(fixtures.List))
			for i, x := range fixtures.List {
				header := x.Header()
				if c.signed {
					header.Set("Plaid-Verification", tokenBy(t, key, "one", string(x.Body)))
				}
				var stored struct{ ID string }
				code, answer := postSigned(t, server, c.path, header, x.Body)
				if err := json.Unmarshal(answer, &stored); code != http.StatusOK || err != nil {
					t.Fatalf("%s: %d %s\n%s", x.Name, code, answer, server.stderr())
				}
				ids[i] = stored.ID
			}
			if err := awaitApplied(server.url, patience); err != nil {
				t.Fatal(err)
			}
			for i, x := range fixtures.List {
				var e api.Event
				if err := getJSON(server.url+"/v1/events/"+ids[i], &e); err != nil {
					t.Fatal(err)
				}
				if quarantined := strings.HasPrefix(x.Want, "unplaceable"); (e.Fate == api.FateQuarantined) != quarantined {
					t.Errorf("%s is %s: %+v", x.Name, e.Fate, e.Quarantine)
				}
				if e.Signed != c.signed {
					t.Errorf("%s: signed %v, verified %q", x.Name, e.Signed, e.Verified)
				}
				if e.Fate == api.FatePlaced {
					onTimeline(t, server.url, c.source, e.Connection, ids[i])
				}
			}
		})
	}
}
