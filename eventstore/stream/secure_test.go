package stream_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// certificate writes a certificate for 127.0.0.1 that signs itself, and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestASecuredServer has TLS, a user and a password.
func TestASecuredServer(t *testing.T) {
	const password = "hunter2"
	cert, key := certificate(t)
	server := startServer(t, fmt.Sprintf("tls { cert_file: %q, key_file: %q }\nauthorization { user: tide, password: %q }\n", cert, key, password))
	url := func(password string) string { return "tls://tide:" + password + "@" + server.addr }

	log := start(t, stream.Options{URL: url(password), TLSCA: cert})
	if _, err := log.Append(t.Context(), webhook(0)); err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]stream.Options{
		"a wrong password":       {URL: url("hunter3"), TLSCA: cert},
		"an untrusted server":    {URL: url(password)},
		"an authority not there": {URL: url(password), TLSCA: cert + ".gone"},
	} {
		opts.Now = time.Now
		log, err := stream.Open(t.Context(), opts)
		if err == nil {
			log.Close()
			t.Errorf("%s: the log opens", name)
			continue
		}
		if !errors.Is(err, eventstore.ErrUnavailable) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: error %v, want an ErrUnavailable without a secret", name, err)
		}
	}
}
