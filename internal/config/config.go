package config

import (
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Config is a whole configuration: a file's values over the defaults. Sizes
// are bytes. Paths that a file gives relative are resolved against the
// directory of the file.
type Config struct {
	// File is where it was read from, "" for the built-in defaults.
	File string
	// Listen is the address of API, pages and ingest, host:port.
	Listen string
	// IngestListen serves /in/ alone on another address; "" for none.
	IngestListen string
	// DataDir holds everything that is kept: the log, the projections, the generated secret.
	DataDir string
	NATS    NATS
	Auth    Auth
	Limits  Limits
	Disk    Disk
	Memory  Memory
	Rebuild Rebuild
	Log     Log
	// Sources are the entry points, in the file's order.
	Sources []Source
	// Files are the files that values were read from (file:PATH), in the order of reading.
	Files []string
	// Warnings are what an operator should hear and what stops nothing.
	Warnings []string

	lines map[string]int // line by key path, for Validate
}

// NATS says where the log of record lives.
type NATS struct {
	// URL is an external server, or several separated by commas; "" for the embedded one.
	URL Servers
	// Credentials is the path of a .creds file; "" for none.
	Credentials string
	// MonitorURLs are the HTTP monitoring addresses of the external servers: only
	// there do they say how they sync, so without them durability is not known.
	MonitorURLs []string
	// Replicas is the number of copies that the stream keeps; 0 for one of a new
	// stream, and for as many as it has of one that exists.
	Replicas int
	// StorageLimit is the most that the embedded server may take of the disk; 0
	// leaves it to the stream.
	StorageLimit int64
	TLS          TLS
}

// TLS says how the connection to an external server is secured. Without a CA
// the system's roots count.
type TLS struct {
	CA, Cert, Key string // paths of PEM files
}

// Auth says who may use the API.
type Auth struct {
	// KeysFile is the path of the API keys; "" lets everybody in.
	KeysFile string
}

// Limits bound what senders can take of the machine.
type Limits struct {
	// Connections is the most TCP connections at once; 0 for half of what the
	// process may open, at most 8,192: see MaxConnections.
	Connections int
	// ConnectionsPerAddress is the most from one address; 0 for three quarters of Connections.
	ConnectionsPerAddress int
	// InFlight is the most bytes of bodies that are being received or stored at once.
	InFlight int64
	// Waiting is the most events that wait for the log at once.
	Waiting int
}

// Disk says when to stop accepting.
type Disk struct {
	// LowWater is the free space below which webhooks are answered 503; 0 leaves
	// it to the stream: 512 MiB, or a twentieth of the file system if that is less.
	LowWater int64
}

// Memory bounds what the process keeps in memory.
type Memory struct {
	// Limit is the soft limit of the Go runtime (GOMEMLIMIT); 0 leaves it alone.
	Limit int64
	// Cache is what the projections' store may keep of its blocks.
	Cache int64
}

// Rebuild says when projections are made anew.
type Rebuild struct {
	// OnDefinitionChange is what a start does that finds other definitions than the
	// projections were made with: "rebuild", "review" or "off".
	OnDefinitionChange string
}

// Log says what is written to stderr.
type Log struct {
	Level slog.Level
	// Format is "text", "json" or "auto": text on a terminal, JSON elsewhere.
	Format string
}

// Source is one configured entry point, /in/{name}.
type Source struct {
	// Name is [a-z0-9] then [a-z0-9_-], at most 64 bytes.
	Name string
	// Provider is the name of a built-in definition, or the path of a file; "" where
	// the definition stands in the configuration itself.
	Provider string
	// Inline is the definition that stands in the configuration, nil where Provider names one.
	Inline *providers.Inline
	// Secrets prove a sender; any one of them will do, so that they can be rotated.
	Secrets []providers.Secret
	// Headers are kept beside the body, further to those that the definition needs.
	Headers []string
	// MaxBody is the largest body, raw or decoded.
	MaxBody int64
	// Tolerance is the replay window, each way; 0 for the definition's own.
	Tolerance time.Duration
	// Where says where the source was configured ("tidemark.yaml:12"), for messages.
	Where string
	// Generated means that the secret is to be made on the first start: see EnsureDefaultSecret.
	Generated bool
}

// Defaults of sources and of a configuration that says nothing.
const (
	DefaultMaxBody = 1 << 20
	DefaultSource  = "makini"
)

// Default returns the configuration of a server that was told nothing: one
// source, makini, whose secret is generated.
func Default() *Config {
	return &Config{
		Listen:  "127.0.0.1:8080",
		DataDir: "tidemark-data",
		Limits:  Limits{InFlight: 64 << 20, Waiting: 8192},
		Memory:  Memory{Cache: 32 << 20},
		Rebuild: Rebuild{OnDefinitionChange: "rebuild"},
		Log:     Log{Level: slog.LevelInfo, Format: "auto"},
		Sources: defaultSources(),
	}
}

func defaultSources() []Source {
	return []Source{{Name: DefaultSource, Provider: "makini", MaxBody: DefaultMaxBody, Where: "built-in defaults", Generated: true}}
}

// Servers is one NATS URL or several separated by commas. A URL can hold a
// password, so however it is printed it shows none: convert it to string to connect.
type Servers string

// String returns the URLs without what may be secret in them.
func (s Servers) String() string {
	if s == "" {
		return ""
	}
	parts := strings.Split(string(s), ",")
	for i, p := range parts {
		u, err := url.Parse(strings.TrimSpace(p))
		if err != nil {
			parts[i] = "[redacted]"
			continue
		}
		parts[i] = u.Scheme + "://" + u.Host
	}
	return strings.Join(parts, ",")
}

// GoString implements fmt.GoStringer, for %#v.
func (s Servers) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Servers) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler, for JSON and YAML.
func (s Servers) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
