package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

const (
	maxMaxBody  = 32 << 20
	minInFlight = 1 << 20
	autoConns   = 8192
)

// Validate checks what a single value cannot show: addresses, ranges, and
// values that do not go together. Call it after flags were laid over the file. The
// error joins one *Error for each thing wrong.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, &Error{File: c.File, Line: c.lines[key], Key: key, Problem: fmt.Sprintf(format, args...)})
	}
	if err := checkAddress(c.Listen); err != nil {
		bad("listen", "%v", err)
	}
	if c.IngestListen != "" {
		if err := checkAddress(c.IngestListen); err != nil {
			bad("ingest_listen", "%v", err)
		} else if c.IngestListen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
			bad("ingest_listen", "the same address as listen, which serves /in/ as well: choose another port, or leave ingest_listen out")
		}
	}
	if c.DataDir == "" {
		bad("data_dir", "empty: name the directory where events are kept")
	}
	c.validateNATS(bad)
	if c.Limits.InFlight < minInFlight {
		bad("limits.in_flight", "%s is too little to receive a body of %s: give it more", FormatSize(c.Limits.InFlight), FormatSize(minInFlight))
	}
	if c.Limits.Waiting < 1 {
		bad("limits.waiting", "at least one event has to be able to wait")
	}
	switch c.Log.Format {
	case "auto", "text", "json":
	default:
		bad("log.format", "%q is not a format: auto, text or json", cutText(c.Log.Format))
	}
	switch c.Rebuild.OnDefinitionChange {
	case "rebuild", "review", "off":
	default:
		bad("rebuild.on_definition_change", "%q is not one of rebuild, review and off", cutText(c.Rebuild.OnDefinitionChange))
	}
	if len(c.Sources) == 0 {
		bad("sources", "no source, so nothing could be received")
	}
	for _, s := range c.Sources {
		if s.MaxBody < 1 || s.MaxBody > maxMaxBody {
			bad("sources."+s.Name+".max_body", "%s is not between 1 and %s", FormatSize(s.MaxBody), FormatSize(maxMaxBody))
		} else if s.MaxBody > c.Limits.InFlight {
			bad("sources."+s.Name+".max_body", "%s is more than limits.in_flight (%s), so such a body could never be received: raise limits.in_flight",
				FormatSize(s.MaxBody), FormatSize(c.Limits.InFlight))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateNATS(bad func(key, format string, args ...any)) {
	n := &c.NATS
	switch n.Replicas {
	case 0, 1, 3, 5:
	default:
		bad("nats.replicas", "%d copies are not possible: 1, 3 or 5", n.Replicas)
	}
	for _, one := range strings.Split(string(n.URL), ",") {
		if n.URL == "" {
			break
		}
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			bad("nats.url", "not a NATS URL: write nats://host:4222 or tls://host:4222, several separated by commas")
			break
		}
	}
	if n.URL == "" {
		const embedded = "only for an external server: set nats.url, or leave it out"
		if n.Replicas > 1 {
			bad("nats.replicas", "the embedded server keeps one copy; more are %s", embedded)
		}
		if n.Credentials != "" {
			bad("nats.credentials", embedded)
		}
		if len(n.MonitorURLs) > 0 {
			bad("nats.monitor_urls", embedded)
		}
		if n.TLS != (TLS{}) {
			bad("nats.tls", embedded)
		}
	}
	if (n.TLS.Cert == "") != (n.TLS.Key == "") {
		bad("nats.tls", "cert and key go together: set both, or neither")
	}
}

func checkAddress(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not an address: write host:port, as in 127.0.0.1:8080", cutText(addr))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port from 0 to 65535", cutText(addr))
	}
	if strings.ContainsAny(host, " \t/@") {
		return fmt.Errorf("%q is not an address: write host:port, as in 127.0.0.1:8080", cutText(addr))
	}
	return nil
}

// CheckExposure refuses an API that the network can reach without keys: listen is
// not loopback, no keys file is set, and nobody insisted (--insecure-no-auth).
// IngestListen needs no keys: a webhook proves itself by its signature.
func (c *Config) CheckExposure(insecureNoAuth bool) error {
	if c.Auth.KeysFile != "" || insecureNoAuth || loopback(c.Listen) {
		return nil
	}
	return &Error{File: c.File, Line: c.lines["listen"], Key: "listen", Problem: fmt.Sprintf(
		"%s can be reached from the network, and without keys everybody there could read every event. "+
			"Set auth.keys_file, or listen on 127.0.0.1, or pass --insecure-no-auth where something in front checks who asks. "+
			"To expose webhooks alone, set ingest_listen", c.Listen)}
}

// loopback reports whether an address can be reached from this machine alone.
// A name other than localhost may resolve to anything, so it counts as reachable.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// MaxConnections returns the number of connections to allow at once. Where the
// file does not say, it is half of the files that the process may open, so that
// the log and the projections always find theirs, and at most 8,192.
func (l Limits) MaxConnections() int {
	if l.Connections > 0 {
		return l.Connections
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 512 // half of the smallest limit that systems ship with
	}
	return int(min(files.Cur/2, autoConns))
}

// MaxConnectionsPerAddress returns the number of connections to allow from one
// address: what the file says, else three quarters of MaxConnections, so that one slow
// sender cannot keep out all others.
func (l Limits) MaxConnectionsPerAddress() int {
	if l.ConnectionsPerAddress > 0 {
		return l.ConnectionsPerAddress
	}
	return max(1, l.MaxConnections()*3/4)
}
