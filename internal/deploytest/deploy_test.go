package deploytest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	secret = "a-secret-that-no-log-may-show-7f3a"
	drain  = 10 * time.Second // from SIGTERM to the exit, by the contract
)

// TestComposeConfig has docker-compose itself read the file.
func TestComposeConfig(t *testing.T) {
	if _, err := exec.LookPath("docker-compose"); err != nil {
		t.Skip("docker-compose is not installed: apt-get install docker-compose")
	}
	read(t, "docker-compose.yml") // for the test cache: the subprocess is invisible to it
	config := func(env ...string) (string, error) {
		cmd := exec.Command("docker-compose", "config")
		cmd.Dir = root
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := config("MAKINI_SECRET=" + secret); err != nil || !strings.Contains(out, "MAKINI_SECRET: "+secret) {
		t.Errorf("docker-compose config: %v\n%s", err, out)
	}
	if out, err := config(); err == nil || !strings.Contains(out, "signing secret") {
		t.Errorf("docker-compose config without MAKINI_SECRET: error %v, want one that names it:\n%s", err, out)
	}
}

// TestCompose brings up both services of docker-compose.yml as processes.
func TestCompose(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and runs nats-server and tidemark")
	}
	services := composeFile(t, map[string]string{"MAKINI_SECRET": secret})
	nats, tidemark := services["nats"], services["tidemark"]
	if want := []string{"8081:8081"}; !slices.Equal(tidemark.Ports, want) || len(nats.Ports) > 0 {
		t.Errorf("published ports %v and %v: want %v and none: webhooks alone", tidemark.Ports, nats.Ports, want)
	}
	if tidemark.DependsOn["nats"].Condition != "service_healthy" {
		t.Error("tidemark does not wait for a healthy nats")
	}

	ports := freePorts(t, 4)
	client, monitor, api, in := "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[1], "127.0.0.1:"+ports[2], "127.0.0.1:"+ports[3]
	addresses := []string{
		"nats:4222", client, "0.0.0.0:4222", client,
		"nats:8222", monitor, "0.0.0.0:8222", monitor, "127.0.0.1:8222", monitor,
		"127.0.0.1:8080", api, "0.0.0.0:8081", in,
	}
	one := machine{dir: t.TempDir(), replace: addresses}
	one.stand("/etc/nats", one.path("/etc/nats"))
	one.stand("store_dir: /data", "store_dir: "+one.path("/data"))
	one.mount(t, nats.Volumes)
	two := machine{dir: t.TempDir(), replace: addresses}
	entry := entrypoint(t)
	two.stand(entry[0], buildTidemark(t))
	two.stand("/etc/tidemark", two.path("/etc/tidemark"))
	two.stand("/var/lib/tidemark", two.path("/var/lib/tidemark"))
	two.mount(t, tidemark.Volumes)

	natsBin := buildNATS(t)
	if nats.Command[0] != "nats-server" {
		t.Fatalf("the command of nats is %q, want nats-server", nats.Command)
	}
	natsCommand := append([]string{natsBin}, one.adaptAll(nats.Command[1:])...)
	healthz := one.adapt(nats.Healthcheck.Test[len(nats.Healthcheck.Test)-1])
	if k := tidemark.Healthcheck.Test[0]; k != "CMD" {
		t.Fatalf("tidemark's health check is %s: an empty base has no shell", k)
	}
	env := environment(tidemark.Environment)

	for round := range 2 {
		log := start(t, natsCommand, nil)
		log.until(t, "its health check passes", func() bool { code, _ := status(healthz); return code == http.StatusOK })
		if round == 0 {
			_, varz := status("http://" + monitor + "/varz")
			for _, want := range []string{`"sync_always": true`, `"max_payload": 8388608`, `"store_dir": "` + one.path("/data")} {
				if !strings.Contains(varz, want) {
					t.Errorf("nats-server with deploy/nats.conf: /varz has no %s", want)
				}
			}
		}
		td := start(t, two.adaptAll(append(entry, tidemark.Command...)), env)
		td.until(t, "its health check passes", func() bool { return succeeds(two.adaptAll(tidemark.Healthcheck.Test[1:]), env) })
		if round == 0 {
			webhook(t, "http://"+in+"/in/makini")
			if code, _ := status("http://" + in + "/v1/connections"); code != http.StatusNotFound {
				t.Errorf("the port that is published to senders answers an API call with %d, want 404", code)
			}
		}
		td.until(t, "the webhook's state shows", func() bool { return offline("http://" + api) })
		td.stop(t, drain)
		log.stop(t, drain)
		if strings.Contains(td.out.String(), secret) {
			t.Error("tidemark printed its secret")
		}
	}
}

// TestUnit runs the ExecStart of docs/tidemark.service with the configuration
// that its comment shows.
func TestUnit(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and runs tidemark")
	}
	settings, config := unit(t)
	m := machine{dir: t.TempDir()}
	listen := "127.0.0.1:" + freePorts(t, 1)[0]
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
		td.until(t, "the webhook's state shows", func() bool { return offline("http://" + listen) })
		td.stop(t, drain)
		if strings.Contains(td.out.String(), secret) {
			t.Error("tidemark printed its secret")
		}
	}
}

// environment is what the container gets: what the file says, and nothing of this process.
func environment(vars map[string]string) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}
	for k, v := range vars {
		env = append(env, k+"="+v)
	}
	return env
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
func offline(api string) bool {
	code, body := status(api + "/v1/connections/makini/conn_42")
	return code == http.StatusOK && strings.Contains(body, `"health":"offline"`) && strings.Contains(body, `"reason":"agent stopped"`)
}
