package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say where the log is and how much it may take. Only Now, and either Dir or URL,
// have to be given; a zero value elsewhere means the default.
type Options struct {
	// Dir is where the embedded server keeps the stream. Used when URL is empty.
	Dir string
	// NoSync turns the fsync of each message off in the embedded server: an
	// acknowledged event can then be lost in a power cut. Durability shows it.
	NoSync bool
	// OpenDamaged opens a log whose files are damaged. The embedded server then cuts
	// them off where they are, and what lay behind is gone: copy Dir aside first.
	OpenDamaged bool

	// URL names an external server, or several of one cluster with commas between them. User
	// and password, or a token, stand in it; it is never shown.
	URL string
	// Credentials is a file with the user's JWT and seed.
	Credentials string
	// TLSCA is a PEM file with the authorities to trust; TLSCert and TLSKey are
	// the client's own certificate.
	TLSCA, TLSCert, TLSKey string
	// MonitorURLs are the HTTP monitoring addresses of the external servers (port 8222
	// by custom). NATS tells an ordinary account nothing of a server's sync
	// setting, so without them Durability.Known is false.
	MonitorURLs []string
	// Replicas is the number of copies an external cluster keeps. 0: one for a new
	// stream, unchanged for one that exists.
	Replicas int

	// Prefix names the streams: PREFIX_EVENTS and PREFIX_PROBE. Default TIDEMARK.
	Prefix string
	// MaxStore is the most the stream may take, in bytes; at the limit appends are
	// refused, nothing is dropped. 0: for an embedded server the size of the file
	// system, for an external one whatever it allows.
	MaxStore int64
	// LowWater is the free disk space, in bytes, below which appends are refused before the disk is
	// full (embedded only). 0: 512 MiB, or 5 % of the file system if that is less.
	// Negative: no mark.
	LowWater int64

	// AppendTimeout bounds an Append from call to answer. Default 5 s, at most 10 s.
	AppendTimeout time.Duration
	// AckWait is how long one attempt to publish waits before it is repeated under
	// the same id. Default 1.5 s, at most AppendTimeout.
	AckWait time.Duration
	// MaxGroupEvents and MaxGroupBytes bound a commit group. Defaults 512 and 1 MiB. A
	// bigger event goes alone.
	MaxGroupEvents, MaxGroupBytes int
	// MaxWaiting and MaxWaitingBytes bound what waits for a group; beyond them
	// Append is ErrBusy. Defaults 8192 and 64 MiB.
	MaxWaiting, MaxWaitingBytes int

	// Idle is how long a cursor waits before ErrIdle. Default 1 s.
	Idle time.Duration
	// ReadAhead bounds the bytes a cursor has in flight. Default 8 MiB; it is
	// raised to the largest message of the server.
	ReadAhead int
	// Tail bounds the bytes of the messages just stored that are kept for those who follow the
	// log; who is further behind has them from the server. Default 8 MiB.
	Tail int
	// ProbeAfter is how long without a publish until a probe takes its place. Default 10 s.
	ProbeAfter time.Duration

	// Now is the clock. It has to advance as real time does. Required.
	Now func() time.Time
	// Logger takes what the log and its server have to say. Default: nothing is logged.
	Logger *slog.Logger
	// Metrics takes the tidemark_log_* metrics. Default: none.
	Metrics prometheus.Registerer
}

const (
	kib = 1 << 10
	mib = 1 << 20

	defaultPrefix = "TIDEMARK"
	// duplicates is how long the server remembers the ids of groups. It has to be longer
	// than a publish is retried (AppendTimeout), and short, because each id costs the
	// server 300 bytes of memory: 5,000 groups a second make 45 MB.
	duplicates = 30 * time.Second
	// maxAppendTimeout keeps retries well inside the window of duplicates.
	maxAppendTimeout = 10 * time.Second
)

var validPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// withDefaults returns the options with every default filled in.
func (o Options) withDefaults() Options {
	setDefault(&o.Prefix, defaultPrefix)
	setDefault(&o.AppendTimeout, 5*time.Second)
	setDefault(&o.AckWait, min(1500*time.Millisecond, o.AppendTimeout))
	setDefault(&o.MaxGroupEvents, 512)
	setDefault(&o.MaxGroupBytes, 1*mib)
	setDefault(&o.MaxWaiting, 8192)
	setDefault(&o.MaxWaitingBytes, 64*mib)
	setDefault(&o.Idle, time.Second)
	setDefault(&o.ReadAhead, 8*mib)
	setDefault(&o.Tail, 8*mib)
	setDefault(&o.ProbeAfter, 10*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate says what is wrong with the options, defaults included; nil if nothing is.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(o.Now == nil, "no clock given")
	wrong(o.Dir == "" && o.URL == "", "neither a directory for the embedded server nor the URL of an external one is given")
	wrong(!validPrefix.MatchString(o.Prefix), "prefix %q is not letters, digits, _ and -, at most 64", o.Prefix)
	wrong(o.Replicas < 0 || o.Replicas > 5, "replicas is %d, not 0 to 5", o.Replicas)
	wrong(o.URL == "" && o.Replicas > 1, "replicas is %d, but the embedded server keeps one copy: give the URL of a cluster", o.Replicas)
	wrong(o.MaxStore < 0, "max store is negative")
	wrong(o.AppendTimeout < 0 || o.AppendTimeout > maxAppendTimeout, "append timeout %s is not between 0 and %s", o.AppendTimeout, maxAppendTimeout)
	wrong(o.AckWait < 0 || o.AckWait > o.AppendTimeout, "ack wait %s is not between 0 and the append timeout %s", o.AckWait, o.AppendTimeout)
	wrong(o.MaxGroupEvents < 0 || o.MaxGroupBytes < 0, "the bounds of a commit group are negative")
	wrong(o.MaxWaiting < 0 || o.MaxWaitingBytes < 0, "the bounds of what waits are negative")
	wrong(o.Idle < 0 || o.ReadAhead < 0 || o.Tail < 0 || o.ProbeAfter < 0, "a cursor's idle time or read-ahead, the tail, or the time to a probe, is negative")
	wrong((o.TLSCert == "") != (o.TLSKey == ""), "a client certificate needs both its file and its key's file")
	if o.URL != "" {
		_, err := hosts(o.URL)
		wrong(err != nil, "nats url: %w", err)
		wrong(o.NoSync, "the sync setting of an external server is its own: set sync_interval there")
	}
	return errors.Join(errs...)
}

// hosts returns the addresses in a list of server URLs, without what is secret in
// them. Its errors show no part of a URL but its scheme.
func hosts(list string) ([]string, error) {
	var names []string
	for i, text := range strings.Split(list, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		switch {
		case err != nil || u.Host == "":
			return nil, fmt.Errorf("number %d of the list is not a URL like nats://host:4222", i+1)
		case u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss":
			return nil, fmt.Errorf("number %d of the list has the scheme %q, not nats, tls, ws or wss", i+1, u.Scheme)
		}
		names = append(names, u.Host)
	}
	return names, nil
}

func (o Options) embedded() bool       { return o.URL == "" }
func (o Options) eventsStream() string { return o.Prefix + "_EVENTS" }
func (o Options) probeStream() string  { return o.Prefix + "_PROBE" }

// The subjects are fixed: nothing that comes from outside ever becomes part of one.
func (o Options) eventsSubject() string { return o.Prefix + ".events" }
func (o Options) probeSubject() string  { return o.Prefix + ".probe" }
