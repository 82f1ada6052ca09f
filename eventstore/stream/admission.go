package stream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// A server that cannot be reached is waited for: it may come. One that turns us away will do so
// again, and a file that cannot be read stays so; then the error is no ErrUnavailable,
// says what to mend, and shows nothing that is secret.

// external returns the options of a connection over the network. A server that stops
// answering is found out within three pings.
func external(o Options) []nats.Option {
	options := []nats.Option{
		nats.Timeout(2 * time.Second),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond),
		nats.PingInterval(5 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.IgnoreAuthErrorAbort(), // credentials may be mended at the server
	}
	if o.Credentials != "" {
		options = append(options, named("nats.credentials", nats.UserCredentials(o.Credentials)))
	}
	if o.TLSCA != "" {
		options = append(options, named("nats.tls.ca", nats.RootCAs(o.TLSCA)))
	}
	if o.TLSCert != "" {
		options = append(options, named("nats.tls.cert and nats.tls.key", nats.ClientCert(o.TLSCert, o.TLSKey)))
	}
	return options
}

// named makes an option's error say which key of the configuration to look at.
func named(key string, option nats.Option) nats.Option {
	return func(all *nats.Options) error {
		if err := option(all); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	}
}

// settings applies the options and reads the files that they name. What goes wrong here has nothing to
// do with the server.
func settings(o Options, options []nats.Option) (nats.Options, error) {
	all := nats.GetDefaultOptions()
	if o.URL != "" {
		for _, url := range strings.Split(o.URL, ",") {
			all.Servers = append(all.Servers, strings.TrimSpace(url))
		}
	}
	for _, option := range options {
		if err := option(&all); err != nil {
			return all, err
		}
	}
	if all.SignatureCB != nil {
		if _, err := all.SignatureCB([]byte("is there a key?")); err != nil {
			return all, fmt.Errorf("nats.credentials: %w: it has to be a .creds file, with a user's JWT and seed", err)
		}
	}
	return all, nil
}

// turnedAway is why there is no connection: an ErrUnavailable if there may be one later.
func (o Options) turnedAway(err error) error {
	var untrusted *tls.CertificateVerificationError
	var alert *net.OpError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("the %s does not let us in: %w: %s", o.where(), err, o.whichSecret())
	case errors.As(err, &untrusted):
		return fmt.Errorf("the %s is not trusted: %w: nats.tls.ca has to name the authority that signed its certificate, and the certificate the host of nats.url", o.where(), err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("the %s has no TLS: %w: write nats:// in nats.url and leave nats.tls out, or set TLS up there", o.where(), err)
	case errors.Is(err, nats.ErrTLS), errors.As(err, &alert) && alert.Op == "remote error":
		// It hung up, and did not always say why: it may as well be on its way down.
		return fmt.Errorf("%w: the %s ends the TLS connection: %w: perhaps it wants a certificate of ours that it trusts (nats.tls.cert)", eventstore.ErrUnavailable, o.where(), err)
	}
	return fmt.Errorf("%w: cannot reach the %s: %w", eventstore.ErrUnavailable, o.where(), err)
}

// whichSecret says what to look at when the server refuses who we say we are.
func (o Options) whichSecret() string {
	switch {
	case o.Credentials != "":
		return "is the user of " + o.Credentials + " (nats.credentials) expired or revoked, or its account one that the server does not know?"
	case strings.Contains(o.URL, "@"):
		return "look at the user and password, or the token, in nats.url"
	case o.TLSCert != "":
		return "does it know the client certificate (nats.tls.cert), or does it want more: nats.credentials, or a user and password in nats.url?"
	}
	return "it wants to know who we are: set nats.credentials, or write user and password, or a token, into nats.url"
}

// unprepared adds to why the streams are not ready what is known of the reason.
func (o Options) unprepared(lk *link, err error) error {
	var refused *jetstream.APIError
	code := jetstream.ErrorCode(0)
	if errors.As(err, &refused) {
		code = refused.ErrorCode
	}
	switch last := lk.nc.LastError(); {
	case errors.Is(last, nats.ErrPermissionViolation) && !o.embedded():
		return fmt.Errorf("the user may not do what the log needs: %w: docs/CONFIG.md lists the subjects to allow", last)
	case code == jetstream.JSErrCodeJetStreamNotEnabledForAccount:
		return fmt.Errorf("%w: give the account JetStream at the server, with space on disk", err)
	case code == notClustered:
		return fmt.Errorf("nats.replicas is %d, but the server is not in a cluster: set nats.replicas to 1, or leave it out: %w", o.Replicas, refused)
	case code == noPeers:
		return fmt.Errorf("%w: nats.replicas is %d: as many servers of the cluster have to be up, with JetStream and space on disk", err, o.Replicas)
	}
	return err
}

const (
	notClustered = 10074 // more than one copy is asked of a single server
	noPeers      = 10005 // the cluster has too few servers for the copies
)
