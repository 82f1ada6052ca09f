package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// signing says which library signs for which definition.
var signing = []struct{ library, provider, secret string }{
	{"svix", "svix", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
	{"svix", "standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
	{"standardwebhooks", "standard-webhooks", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"},
	{"standardwebhooks", "svix", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"},
	{"standardwebhooks", "zapier", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"},
	{"stripe", "stripe", "whsec_test_secret_that_is_not_base64"},
	{"@octokit/webhooks-methods", "github", "It's a Secret to Everybody"},
}

// TestTheirSigners lets the providers' own libraries sign each definition's
// fixtures, posts them to the program, and finds them where they belong. Of a body that changed
// on the way nothing is stored.
func TestTheirSigners(t *testing.T) {
	if !long {
		t.Skip("it installs packages from npm: TIDEMARK_LONG=1 runs it")
	}
	sign := installSigners(t)
	dir := t.TempDir()
	config := "data_dir: data\nsources:\n"
	for i, s := range signing {
		config += fmt.Sprintf("  src-%d: {provider: %s, secrets: [%q]}\n", i, s.provider, s.secret)
	}
	if err := os.WriteFile(filepath.Join(dir, "tidemark.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	server := mustStart(t, dir)
	stored := 0
	for i, s := range signing {
		t.Run(s.library+" for "+s.provider, func(t *testing.T) {
			fixtures, err := providers.BuiltinFixtures(s.provider)
			if err != nil {
				t.Fatal(err)
			}
			stored += signedFixtures(t, server, sign, i, fixtures)
			var stats api.Stats
			if err := getJSON(server.url+"/v1/stats", &stats); err != nil {
				t.Fatal(err)
			}
			// Sent one by one, so each is a group of its own.
			if stats.Head != uint64(stored) {
				t.Errorf("%d events were sent unchanged, and the log holds %d", stored, stats.Head)
			}
		})
	}
}

// signedFixtures sends the fixtures of a definition and returns how many were stored.
func signedFixtures(t *testing.T, server *server, sign signer, i int, fixtures *providers.Fixtures) int {
	t.Helper()
	source := fmt.Sprintf("src-%d", i)
	type sent struct {
		name, id string
		placed   bool
	}
	var all []sent
	for n, x := range fixtures.List {
		if !utf8.Valid(x.Body) {
			t.Logf("%s: the libraries sign texts, and this is none", x.Name)
			continue
		}
		header := sign(t, signRequest{signing[i].library, signing[i].secret, fmt.Sprintf("msg_%d_%d", i, n), time.Now().Unix(), string(x.Body)})
		for name, values := range x.Header() {
			if lower := strings.ToLower(name); !strings.HasPrefix(lower, "webhook-") && !strings.HasPrefix(lower, "svix-") && header.Get(name) == "" {
				header[name] = values
			}
		}
		changed := bytes.Clone(x.Body)
		changed[len(changed)/2] ^= 1
		if code, body := postSigned(t, server, source, header, changed); code != http.StatusUnauthorized {
			t.Fatalf("%s, a byte changed: %d %s", x.Name, code, body)
		}
		code, body := postSigned(t, server, source, header, x.Body)
		var stored struct{ ID string }
		if err := json.Unmarshal(body, &stored); code != http.StatusOK || err != nil {
			t.Fatalf("%s: %d %s\n%s", x.Name, code, body, server.stderr())
		}
		all = append(all, sent{x.Name, stored.ID, !strings.HasPrefix(x.Want, "unplaceable")})
	}
	if err := awaitApplied(server.url, patience); err != nil {
		t.Fatal(err)
	}
	placed := 0
	for _, s := range all {
		var e api.Event
		if err := getJSON(server.url+"/v1/events/"+s.id, &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Fate == api.FateQuarantined == s.placed:
			t.Errorf("%s is %s: %+v", s.name, e.Fate, e.Quarantine)
		case e.Fate == api.FatePlaced:
			placed++
			onTimeline(t, server.url, source, e.Connection, s.id)
		}
	}
	if placed == 0 {
		t.Fatal("nothing is on a timeline")
	}
	t.Logf("%d of %d on timelines", placed, len(all))
	return len(all)
}

func onTimeline(t *testing.T, base, source, connection, id string) {
	t.Helper()
	var page struct{ Items []api.Entry }
	if err := getJSON(base+"/v1/connections/"+source+"/"+url.PathEscape(connection)+"/events?limit=500", &page); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(page.Items, func(e api.Entry) bool { return e.Event == id }) {
		t.Fatalf("%s is not on the timeline of %q", id, connection)
	}
}

func postSigned(t *testing.T, server *server, source string, header http.Header, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, server.url+"/in/"+source, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	resp, err := testClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// signRequest is one line to testdata/signers/sign.mjs.
type signRequest struct {
	Library string `json:"library"`
	Secret  string `json:"secret"`
	ID      string `json:"id"`
	At      int64  `json:"at"` // unix seconds
	Body    string `json:"body"`
}

type signer func(*testing.T, signRequest) http.Header

// installSigners installs the libraries and starts the process that signs with
// them. Where that cannot be it skips the test, unless TIDEMARK_SIGNERS=required.
func installSigners(t *testing.T) signer {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("TIDEMARK_SIGNERS") == "required" {
		skip = t.Fatalf
	}
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			skip("the providers' libraries need %s: %v", name, err)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/signers")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		if text := string(out); strings.Contains(text, "EINTEGRITY") || strings.Contains(text, "EUSAGE") {
			t.Fatalf("npm ci: %v\n%s", err, out) // other packages than those that were pinned
		}
		skip("npm cannot install the providers' libraries: %v\n%s", err, out)
	}

	node := exec.Command("node", "sign.mjs")
	node.Dir = dir
	var said bytes.Buffer
	node.Stderr = &said
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends with its input
		if err := node.Wait(); err != nil {
			t.Errorf("node: %v: %s", err, said.String())
		}
	})
	requests, answers := json.NewEncoder(in), json.NewDecoder(out)
	return func(t *testing.T, r signRequest) http.Header {
		t.Helper()
		var headers map[string]string
		if err := errors.Join(requests.Encode(r), answers.Decode(&headers)); err != nil {
			t.Fatalf("%s does not sign: %v", r.Library, err)
		}
		h := http.Header{}
		for name, value := range headers {
			h.Set(name, value)
		}
		return h
	}
}
