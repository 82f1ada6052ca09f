package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// open asks for an answer that may be long and returns its body, which the caller
// closes. Any answer but a 200 is an error that says what to do about it.
func (c *client) open(ctx context.Context, path string, query url.Values, headers ...string) (io.ReadCloser, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.patient().Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(err)
	}
	err = c.refused(resp.StatusCode, body)
	if resp.StatusCode == http.StatusServiceUnavailable {
		err = fmt.Errorf("%w: %w", errNotNow, err)
	}
	return nil, err
}

// errNotNow is an answer that says that there will be another one later.
var errNotNow = errors.New("the server cannot answer now")

// export calls each for every item of a list, as the server streams them: all of
// one moment, however many there are. An error may come after any number of items.
func (c *client) export(ctx context.Context, path string, query url.Values, each func(json.RawMessage) error) error {
	query.Set("format", "jsonl")
	body, err := c.open(ctx, path, query)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &failure{fmt.Errorf("the answer of %s broke off, so this is not all: %w", c.base, err), exitError, "try again; if it happens again, the server's log says why"}
		}
		if err := each(line); err != nil {
			return err
		}
	}
}
