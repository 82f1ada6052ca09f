package deploytest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/internal/loopback"
)

const (
	secret = "a-secret-that-no-log-may-show-7f3a"
	drain  = 20 * time.Second // from SIGTERM to the exit: ten by the contract, and what a busy machine adds
)

// TestUnit runs the ExecStart of docs/tidemark.service with the configuration
// that its comment shows.
func TestUnit(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and runs tidemark")
	}
	settings, config := unit(t)
	m := machine{dir: t.TempDir()}
	listen := loopback.Addr(t)
	state := "/var/lib/" + settings["StateDirectory"]
	command := strings.Fields(settings["ExecStart"])
	m.stand(command[0], buildTidemark(t))
	m.stand("127.0.0.1:8080", listen)
	m.stand("/etc/tidemark", m.path("/etc/tidemark"))
	m.stand(state, m.path(state))
	m.write(t, "/etc/tidemark/tidemark.yaml", m.adapt(config))
	if err := os.MkdirAll(m.path(state), 0o700); err != nil {
		t.Fatal(err)
	}
	// systemd copies the credential to a directory of the service's own.
	credential, _, _ := strings.Cut(settings["LoadCredential"], ":")
	m.write(t, filepath.Join("/run/credentials", credential), secret+"\n")
	env := []string{"CREDENTIALS_DIRECTORY=" + m.path("/run/credentials"), "STATE_DIRECTORY=" + m.path(state)}

	for round := range 2 {
		td := start(t, m.adaptAll(command), env)
		td.until(t, "it says where it listens", func() bool { return strings.Contains(td.out.String(), "listening on http://"+listen) })
		if round == 0 {
			webhook(t, "http://"+listen+"/in/makini")
		}
		td.until(t, "the webhook's state shows", func() bool { return offline("http://"+listen, "") })
		td.stop(t, drain)
		if strings.Contains(td.out.String(), secret) {
			t.Error("tidemark printed its secret")
		}
	}
}

// webhook sends one event unsigned, which must be refused, and then signed as the provider signs it.
func webhook(t *testing.T, url string) {
	t.Helper()
	body := []byte(`{"id":"evt_1","event_type":"connection.offline","timestamp":"2026-01-02T03:04:05Z","connection_id":"conn_42","data":{"reason":"agent stopped"}}`)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	signature := hex.EncodeToString(mac.Sum(nil))
	for _, try := range []struct {
		signature string
		want      int
	}{{"", http.StatusUnauthorized}, {signature, http.StatusOK}} {
		req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if try.signature != "" {
			req.Header.Set("X-Makini-Signature", try.signature)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != try.want {
			t.Fatalf("POST %s with signature %q: %s, want %d", url, try.signature, resp.Status, try.want)
		}
	}
}

// offline reports whether the API shows the state that webhook implies.
func offline(api, key string) bool {
	code, body := status(api+"/v1/connections/makini/conn_42", key)
	return code == http.StatusOK && strings.Contains(body, `"health":"offline"`) && strings.Contains(body, `"reason":"agent stopped"`)
}
