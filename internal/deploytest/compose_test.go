package deploytest

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/internal/loopback"
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

// TestCompose brings up both services of docker-compose.yml as processes, twice
// as they are, and once with the API opened as the file's comment says.
func TestCompose(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and runs nats-server and tidemark")
	}
	c := newCompose(t)
	t.Run("first start", func(t *testing.T) {
		log, td := c.up(t)
		c.checkNATS(t)
		webhook(t, "http://"+c.in+"/in/makini")
		if code, _ := status("http://"+c.in+"/v1/connections", ""); code != http.StatusNotFound {
			t.Errorf("the port that is published to senders answers an API call with %d, want 404", code)
		}
		if !strings.Contains(td.out.String(), "is on disk, fsynced (external") {
			t.Error("tidemark does not say that the log is fsynced: it did not read back the sync setting of nats")
		}
		td.until(t, "the webhook's state shows", func() bool { return offline("http://"+c.api, "") })
		c.down(t, log, td)
	})
	t.Run("restart", func(t *testing.T) {
		log, td := c.up(t)
		td.until(t, "the state is there again", func() bool { return offline("http://"+c.api, "") })
		c.down(t, log, td)
	})
	t.Run("with keys", func(t *testing.T) {
		key := c.open(t)
		log, td := c.up(t)
		if code, _ := status("http://"+c.api+"/v1/connections", ""); code != http.StatusUnauthorized {
			t.Errorf("without a key the API answers %d, want 401", code)
		}
		td.until(t, "the key shows the state", func() bool { return offline("http://"+c.api, key) })
		c.down(t, log, td)
		if strings.Contains(td.out.String(), key) {
			t.Error("tidemark printed the key")
		}
	})
}

// compose is docker-compose.yml laid out on this machine.
type compose struct {
	nats, tidemark           service
	natsAt, tidemarkAt       machine
	natsBin                  string
	entry                    []string // ENTRYPOINT of the image
	client, monitor, api, in string   // addresses
}

func newCompose(t *testing.T) *compose {
	t.Helper()
	services := composeFile(t, map[string]string{"MAKINI_SECRET": secret})
	c := &compose{
		nats: services["nats"], tidemark: services["tidemark"], natsBin: buildNATS(t), entry: entrypoint(t),
		client: loopback.Addr(t), monitor: loopback.Addr(t), api: loopback.Addr(t), in: loopback.Addr(t),
	}
	if want := []string{"8081:8081"}; !slices.Equal(c.tidemark.Ports, want) || len(c.nats.Ports) > 0 {
		t.Errorf("published ports %v and %v: want %v and none: webhooks alone", c.tidemark.Ports, c.nats.Ports, want)
	}
	if c.tidemark.DependsOn["nats"].Condition != "service_healthy" {
		t.Error("tidemark does not wait for a healthy nats")
	}
	if c.nats.Command[0] != "nats-server" {
		t.Errorf("the command of nats is %q, want nats-server", c.nats.Command)
	}
	if k := c.tidemark.Healthcheck.Test[0]; k != "CMD" {
		t.Errorf("tidemark's health check is %s: an empty base has no shell", k)
	}

	addresses := []string{
		"nats:4222", c.client, "0.0.0.0:4222", c.client,
		"nats:8222", c.monitor, "0.0.0.0:8222", c.monitor, "127.0.0.1:8222", c.monitor,
		"127.0.0.1:8080", c.api, "0.0.0.0:8080", c.api, "0.0.0.0:8081", c.in,
	}
	c.natsAt = machine{dir: t.TempDir(), replace: addresses}
	c.natsAt.stand("/etc/nats", c.natsAt.path("/etc/nats"))
	c.natsAt.stand("store_dir: /data", "store_dir: "+c.natsAt.path("/data"))
	c.natsAt.mount(t, c.nats.Volumes)

	c.tidemarkAt = machine{dir: t.TempDir(), replace: addresses}
	c.tidemarkAt.stand(c.entry[0], buildTidemark(t))
	c.tidemarkAt.stand("/etc/tidemark", c.tidemarkAt.path("/etc/tidemark"))
	c.tidemarkAt.stand("/var/lib/tidemark", c.tidemarkAt.path("/var/lib/tidemark"))
	c.tidemarkAt.mount(t, c.tidemark.Volumes)
	return c
}

// up starts nats, waits for its health check, and does the same with tidemark.
func (c *compose) up(t *testing.T) (log, td *process) {
	t.Helper()
	log = start(t, append([]string{c.natsBin}, c.natsAt.adaptAll(c.nats.Command[1:])...), nil)
	// Its check is wget on an address; the image has wget, this machine may not.
	healthz := c.natsAt.adapt(c.nats.Healthcheck.Test[len(c.nats.Healthcheck.Test)-1])
	log.until(t, "its health check passes", func() bool { code, _ := status(healthz, ""); return code == http.StatusOK })

	td = start(t, c.tidemarkAt.adaptAll(slices.Concat(c.entry, c.tidemark.Command)), c.environment())
	check := c.tidemarkAt.adaptAll(c.tidemark.Healthcheck.Test[1:])
	td.until(t, "its health check passes", func() bool { _, err := run(check, c.environment()); return err == nil })
	return log, td
}

// down stops both as docker-compose does.
func (c *compose) down(t *testing.T, log, td *process) {
	t.Helper()
	td.stop(t, drain)
	log.stop(t, drain)
	if strings.Contains(td.out.String(), secret) {
		t.Error("tidemark printed its secret")
	}
}

// checkNATS wants deploy/nats.conf to mean what its comments say.
func (c *compose) checkNATS(t *testing.T) {
	t.Helper()
	_, varz := status("http://"+c.monitor+"/varz", "")
	for _, want := range []string{`"sync_always": true`, `"max_payload": 8388608`, `"store_dir": "` + c.natsAt.path("/data")} {
		if !strings.Contains(varz, want) {
			t.Errorf("nats-server with deploy/nats.conf: /varz has no %s", want)
		}
	}
}

// open follows the comment of docker-compose.yml: it runs the command of step 1
// and lays the settings of step 2 over the configuration. It returns the key.
func (c *compose) open(t *testing.T) string {
	t.Helper()
	text := read(t, "docker-compose.yml")
	step := func(pattern string) string {
		found := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("docker-compose.yml: its comment has no %s", pattern)
		}
		return found[1]
	}
	create := append(slices.Clone(c.entry), strings.Fields(step(`exec tidemark tidemark (keys create .*)`))...)
	key, err := run(c.tidemarkAt.adaptAll(create), c.environment())
	if err != nil {
		t.Fatalf("%q: %v", create, err)
	}
	config := regexp.MustCompile(`(?m)^listen:.*$`).ReplaceAllString(read(t, "deploy/tidemark.yaml"),
		step(`deploy/tidemark.yaml: (listen: \S+:\d+)`)+"\n"+step(`(auth: \{.*\})`))
	c.tidemarkAt.write(t, "/etc/tidemark/tidemark.yaml", c.tidemarkAt.adapt(config))
	return strings.TrimSpace(key)
}

// environment is what the container gets: what the file says, and nothing of this process.
func (c *compose) environment() []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}
	for k, v := range c.tidemark.Environment {
		env = append(env, k+"="+v)
	}
	return env
}
