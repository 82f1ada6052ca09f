// Package tidemark builds the real binary, runs `tidemark serve` on a directory
// of its own, and asks it what it has done.
//
// Guarantee: what is measured is the program as people run it: the embedded
// stream at its own defaults, every projection running, the same binary.
package tidemark

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/tidemark-dev/tidemark/bench/launch"
	"github.com/tidemark-dev/tidemark/bench/webhook"
)

// Build compiles cmd/tidemark of the module at root into the file binary, as the Dockerfile does: cgo off, with which
// Pebble keeps its memory elsewhere than a build on a machine with a C compiler.
func Build(ctx context.Context, root, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "./cmd/tidemark")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building cmd/tidemark in %s: %w\n%s", root, err, out)
	}
	return nil
}

// Server is a running `tidemark serve`.
type Server struct {
	*launch.Server
	http http.Client
}

// Start runs the binary on what dir holds, which may be nothing yet.
func Start(ctx context.Context, binary, dir string) (*Server, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "tidemark.yaml")
	text := fmt.Sprintf("listen: 127.0.0.1:0\ndata_dir: %q\nsources:\n  makini:\n    provider: makini\n    secrets: [%q]\n",
		filepath.Join(dir, "data"), webhook.Secret)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	server, err := launch.Start(ctx, exec.Command(binary, "serve", "-c", config))
	if err != nil {
		return nil, err
	}
	return &Server{Server: server, http: http.Client{Timeout: 10 * time.Second}}, nil
}

// Stats is what GET /v1/stats says, as far as it is used here.
type Stats struct {
	Connections struct{ Total int }
	Head        int
	Checkpoint  int
	Lag         struct {
		Events  int
		Seconds float64
	}
	Quarantine int
}

// Stats asks for the server's figures.
func (s *Server) Stats(ctx context.Context) (Stats, error) {
	var out Stats
	body, err := s.get(ctx, "/v1/stats")
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, fmt.Errorf("/v1/stats: %w", err)
	}
	return out, nil
}

// CatchUp waits until everything in the log is projected.
func (s *Server) CatchUp(ctx context.Context) (Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := s.Stats(ctx)
		if err != nil {
			return now, err
		}
		if now.Checkpoint == now.Head {
			return now, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return now, fmt.Errorf("the projection stands at %d of %d: %w", now.Checkpoint, now.Head, ctx.Err())
		}
	}
}

// Stored reports an error unless an event that was acknowledged with this
// answer can be read back.
func (s *Server) Stored(ctx context.Context, answer string) error {
	var acknowledged struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &acknowledged); err != nil || acknowledged.ID == "" {
		return fmt.Errorf("an acknowledgement without an id: %s", answer)
	}
	if _, err := s.get(ctx, "/v1/events/"+acknowledged.ID+"/raw"); err != nil {
		return fmt.Errorf("acknowledged, and not there: %w", err)
	}
	return nil
}

func (s *Server) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the server: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("asking the server: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s was answered with %s: %s", path, response.Status, body)
	}
	return body, nil
}
