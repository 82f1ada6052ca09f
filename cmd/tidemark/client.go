package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswer = 64 << 20
	pageSize  = 500 // the most that the server gives at once
)

// client asks a running server.
type client struct {
	base string
	key  string
	http *http.Client
	self string
}

// client returns a client of the server that flags and environment name.
func (a *app) client() (*client, error) {
	base, err := serverURL(a.server)
	if err != nil {
		return nil, err
	}
	key := a.key
	if key == "" {
		key = a.env("TIDEMARK_API_KEY", "")
	}
	return &client{base: base, key: key, self: a.self, http: &http.Client{
		Timeout: 30 * time.Second,
		// A redirect would take the key to a place that nobody named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func serverURL(s string) (string, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", usage(fmt.Errorf("%q is no address of a server", s), "write http://HOST:PORT, as in --server "+defaultServer)
	}
	return strings.TrimRight(s, "/"), nil
}

// get returns the body of a 200. Any other answer, or none, is an error that
// says what to do about it.
func (c *client) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	status, body, err := c.fetch(ctx, path, query)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, c.refused(status, body)
	}
	return body, nil
}

// fetch returns whatever the server answers.
func (c *client) fetch(ctx context.Context, path string, query url.Values) (status int, body []byte, err error) {
	at := c.base + path
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", "application/json")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, c.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, c.unreachable(err)
	}
	return resp.StatusCode, body, nil
}

// pages calls each for the items of a list, over as many pages as it takes,
// up to limit (0 for all). more says that there are further ones.
func (c *client) pages(ctx context.Context, path string, query url.Values, limit int, each func(json.RawMessage) error) (more bool, err error) {
	for n := 0; ; {
		size := pageSize
		if limit > 0 {
			size = min(size, limit-n)
		}
		query.Set("limit", strconv.Itoa(size))
		body, err := c.get(ctx, path, query)
		if err != nil {
			return false, err
		}
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return false, fmt.Errorf("%s does not answer like Tidemark: %w", c.base, err)
		}
		for _, item := range page.Items {
			if err := each(item); err != nil {
				return false, err
			}
		}
		n += len(page.Items)
		if page.Next == "" {
			return false, nil
		}
		if limit > 0 && n >= limit {
			return true, nil
		}
		query.Set("cursor", page.Next)
	}
}

func connectionPath(source, id string) string {
	return "/v1/connections/" + url.PathEscape(source) + "/" + url.PathEscape(id)
}

// unreachable explains why no answer came.
func (c *client) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		err = op.Err
	}
	return &failure{fmt.Errorf("cannot reach the server at %s: %w", c.base, err), exitUnreachable,
		"is it running? start it with: " + c.self + " serve\nif it listens elsewhere, say where: --server URL, or TIDEMARK_SERVER"}
}

// refused explains an answer that is not a 200.
func (c *client) refused(status int, body []byte) error {
	var p struct{ Title, Detail, Code string }
	if json.Unmarshal(body, &p) != nil || p.Title == "" && p.Detail == "" {
		return fmt.Errorf("%s does not answer like Tidemark: HTTP %d", c.base, status)
	}
	why := p.Detail
	if why == "" {
		why = p.Title
	}
	err := errors.New(strings.TrimSuffix(why, "."))
	switch status {
	case http.StatusUnauthorized:
		return &failure{err, exitNotAllowed, "set TIDEMARK_API_KEY; a key is made on the server's machine: " + c.self + " keys create NAME"}
	case http.StatusForbidden:
		return &failure{err, exitNotAllowed, "a key that may do more is made on the server's machine: " + c.self + " keys create NAME --scope admin"}
	case http.StatusNotFound:
		return &failure{err, exitError, "what there is: " + c.self + " connections"}
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return &failure{err, exitUsage, ""}
	}
	if strings.HasPrefix(p.Code, "integrity") {
		return &failure{err, exitIntegrity, "what is damaged: " + c.self + " health"}
	}
	return err
}
