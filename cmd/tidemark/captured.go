package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// maxCaptured is the longest captured request in bytes.
const maxCaptured = 32 << 20

// captured is a request as it was captured, and what is odd about it.
type captured struct {
	providers.Request
	notes []string
}

var (
	startLine  = regexp.MustCompile(`^[A-Z]{1,16} (\S+)( HTTP/[0-9.]+)?$`)
	statusLine = regexp.MustCompile(`^HTTP/[0-9.]+ [0-9]{3}`)
)

// parseCaptured reads a request as text: a start line, which may be missing, headers, an
// empty line, and the body, byte for byte. Lines of the head end with LF or CR LF.
func parseCaptured(data []byte) (*captured, error) {
	c := &captured{Request: providers.Request{Header: http.Header{}}}
	rest, path := data, ""
	for n := 1; ; n++ {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		text := strings.TrimSuffix(string(line), "\r")
		if ended && text == "" && n > 1 {
			c.Body = after
			break
		}
		if !ended {
			return nil, errors.New("there is no empty line, behind which the body begins: headers, an empty line, and the body as it was received")
		}
		rest = after
		switch start := startLine.FindStringSubmatch(text); {
		case n == 1 && statusLine.MatchString(text):
			return nil, errors.New("line 1 begins an answer, and a request is wanted")
		case n == 1 && start != nil:
			path = start[1]
		case strings.HasPrefix(text, ":path:"): // as HTTP/2 spells it
			path = strings.TrimSpace(text[len(":path:"):])
		case strings.HasPrefix(text, ":"):
		default:
			name, value, ok := strings.Cut(text, ":")
			if !ok || name == "" || strings.ContainsAny(name, " \t\"{") {
				return nil, fmt.Errorf("line %d is no header: an empty line ends them, and the body follows as it was received", n)
			}
			c.Header.Add(name, strings.TrimSpace(value))
		}
	}
	if len(c.Header) == 0 {
		return nil, errors.New("it has no headers, and a signature stands in one")
	}
	c.Token = lastPart(path)
	c.fitBody()
	return c, nil
}

// lastPart is what may be a token at the end of a path.
func lastPart(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return ""
	}
	escaped := u.EscapedPath()
	token, err := url.PathUnescape(escaped[strings.LastIndexByte(escaped, '/')+1:])
	if err != nil {
		return ""
	}
	return token
}

// fitBody holds the body to what the headers say of it.
func (c *captured) fitBody() {
	note := func(format string, args ...any) { c.notes = append(c.notes, fmt.Sprintf(format, args...)) }
	if strings.EqualFold(c.Header.Get("Transfer-Encoding"), "chunked") {
		r := bytes.NewReader(c.Body)
		whole, err := io.ReadAll(httputil.NewChunkedReader(r))
		if err == nil && len(whole) > 0 {
			c.Body = whole
			note("the body was captured in chunks, which were put together")
		}
	}
	if said, err := strconv.Atoi(c.Header.Get("Content-Length")); err == nil && said >= 0 {
		switch has := len(c.Body); {
		case has > said && len(bytes.TrimSpace(c.Body[said:])) == 0:
			c.Body = c.Body[:said]
			note("the file has %s more than Content-Length says, blanks or newlines, which were left off", many(uint64(has-said), "byte"))
		case has != said:
			note("the body has %d bytes and Content-Length says %d: it is not as it was received", has, said)
		}
	}
	if e := c.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		note("the body was sent as %.20q, and the signature covers it as it was sent: it has to stand in the file undecoded", e)
	}
}
