package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/api"
)

// comeBack is how long a server that went away during a rebuild is waited for:
// a restart goes on with the rebuild.
const comeBack = time.Minute

// patient is the client for answers that may take as long as they take.
func (c *client) patient() *http.Client {
	return &http.Client{CheckRedirect: c.http.CheckRedirect}
}

// request makes a request of the server; a body that is not nil is sent as JSON.
func (c *client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	return req, nil
}

// post asks for a change and returns the answer's body. Any answer that is no success is an error.
func (c *client) post(ctx context.Context, path string, body any) ([]byte, error) {
	req, err := c.request(ctx, http.MethodPost, path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.patient().Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, c.refusedRebuild(resp.StatusCode, answer)
	}
	return answer, nil
}

// refusedRebuild is refused, for what only rebuilds answer.
func (c *client) refusedRebuild(status int, body []byte) error {
	var p api.Problem
	if json.Unmarshal(body, &p) != nil {
		return c.refused(status, body)
	}
	err := errors.New(strings.TrimSuffix(p.Detail, "."))
	switch {
	case p.Code == api.CodeRebuildBusy && p.Rebuild != nil:
		next := "follow it: " + c.self + " rebuild status --follow\nend it: " + c.self + " rebuild cancel " + p.Rebuild.ID
		if p.Rebuild.State == "review" {
			next = "let it take over: " + c.self + " rebuild promote " + p.Rebuild.ID + "\nend it: " + c.self + " rebuild cancel " + p.Rebuild.ID
		}
		return &failure{fmt.Errorf("%w: %s is %s", err, p.Rebuild.ID, p.Rebuild.State), exitError, next}
	case status == http.StatusNotFound, p.Code == api.CodeRebuildState, p.Code == api.CodeRebuildBusy:
		return &failure{err, exitError, "the last rebuild: " + c.self + " rebuild status"}
	}
	return c.refused(status, body)
}

// getRebuild is get, for what only rebuilds answer.
func (c *client) getRebuild(ctx context.Context, path string, query url.Values) ([]byte, error) {
	status, body, err := c.fetch(ctx, path, query)
	if err == nil && status != http.StatusOK {
		err = c.refusedRebuild(status, body)
	}
	return body, err
}

// follow calls each with a rebuild as it goes on, until each returns false or the
// rebuild has come to its end. A server that restarts on the way is waited for.
func (c *client) follow(ctx context.Context, id string, each func(*api.Rebuild, json.RawMessage) bool) error {
	const pause = 500 * time.Millisecond
	waited := time.Duration(0)
	for {
		more, err := c.events(ctx, id, func(j *api.Rebuild, raw json.RawMessage) bool {
			waited = 0
			return each(j, raw)
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !more, waited >= comeBack:
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
			waited += pause
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// events reads one stream of a rebuild's events. more is true where it ended
// before the rebuild did, and it makes sense to come back.
func (c *client) events(ctx context.Context, id string, each func(*api.Rebuild, json.RawMessage) bool) (more bool, err error) {
	req, err := c.request(ctx, http.MethodGet, "/v1/rebuilds/"+url.PathEscape(id)+"/events", nil)
	if err != nil {
		return false, err
	}
	resp, err := c.patient().Do(req)
	if err != nil {
		return true, c.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return true, c.unreachable(err)
		}
		if resp.StatusCode == http.StatusServiceUnavailable {
			return true, fmt.Errorf("the server is stopping, or starting")
		}
		return false, c.refusedRebuild(resp.StatusCode, body)
	}
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return true, c.unreachable(err)
		}
		data, is := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: "))
		if !is {
			continue
		}
		var j api.Rebuild
		if err := json.Unmarshal(data, &j); err != nil {
			return false, fmt.Errorf("%s does not answer like Tidemark: %w", c.base, err)
		}
		if !each(&j, data) || j.State.Ended() {
			return false, nil
		}
	}
}
