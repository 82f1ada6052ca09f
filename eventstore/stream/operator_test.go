package stream_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// operator signs accounts, as NATS with JWTs has it. It keeps what it made that is secret,
// so that a test can look for it where it must not be.
type operator struct {
	t       *testing.T
	key     nkeys.KeyPair
	system  *account
	secrets []string
}

// account has users that the operator's servers let in.
type account struct {
	of     *operator
	key    nkeys.KeyPair
	public string
	jwt    string
}

// must gives the value of what only fails where the machine has no random numbers.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newOperator(t *testing.T) *operator {
	o := &operator{t: t, key: must(nkeys.CreateOperator())}
	o.system = o.account(func(*jwt.AccountClaims) {})
	return o
}

// account makes one that its claims describe.
func (o *operator) account(claim func(*jwt.AccountClaims)) *account {
	a := &account{of: o, key: must(nkeys.CreateAccount())}
	a.public = must(a.key.PublicKey())
	claims := jwt.NewAccountClaims(a.public)
	claim(claims)
	a.jwt = must(claims.Encode(o.key))
	return a
}

// revoking is the account's JWT without its users.
func (a *account) revoking() string {
	claims := must(jwt.DecodeAccountClaims(a.jwt))
	claims.Revoke("*")
	return must(claims.Encode(a.of.key))
}

// withJetStream gives an account a share of the server's disk.
func withJetStream(c *jwt.AccountClaims) {
	c.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
}

// config is what makes a server the operator's, which knows these accounts.
func (o *operator) config(accounts ...*account) string {
	claims := jwt.NewOperatorClaims(must(o.key.PublicKey()))
	var known []string
	for _, a := range append(accounts, o.system) {
		known = append(known, a.public+": "+a.jwt)
	}
	return fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s }\n",
		must(claims.Encode(o.key)), o.system.public, strings.Join(known, ", "))
}

// credentials writes a .creds file of a new user and returns its path.
func (a *account) credentials(claim func(*jwt.UserClaims)) string {
	a.of.t.Helper()
	user := must(nkeys.CreateUser())
	claims := jwt.NewUserClaims(must(user.PublicKey()))
	claim(claims)
	token, seed := must(claims.Encode(a.key)), must(user.Seed())
	a.of.secrets = append(a.of.secrets, token, string(seed))
	return writeFile(a.of.t, "user.creds", string(must(jwt.FormatUserConfig(token, seed))))
}

func anything(*jwt.UserClaims) {}

// writeFile writes a file in a directory of its own and returns its path.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// shows says which of what is secret stands in a text, or a good part of it.
func (o *operator) shows(text string) string {
	for _, secret := range o.secrets {
		for i := 0; i+24 <= len(secret); i += 8 {
			if strings.Contains(text, secret[i:i+24]) {
				return secret[i : i+24]
			}
		}
	}
	return ""
}
