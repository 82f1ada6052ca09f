package providers

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// ErrCannotSign means that the provider signs with a private key that it alone has.
var ErrCannotSign = errors.New("only the sender can sign: its private key is its own")

// Sign returns the headers with which the provider would send body at the
// instant now under the delivery id. With a token in the path alone it returns
// no header: see TokenInPath. With the scheme jwt it returns ErrCannotSign. Its
// errors do not show the secret.
func (d *Definition) Sign(secret Secret, id string, now time.Time, body []byte) (http.Header, error) {
	header := http.Header{}
	s := d.signature
	if s.scheme != "none" && secret.IsZero() {
		return nil, fmt.Errorf("signing for %s: the scheme %s needs a secret", d.name, s.scheme)
	}
	var err error
	switch s.scheme {
	case "hmac":
		err = s.signHMAC(header, secret, id, now, body)
	case "standard-webhooks":
		err = s.signStandard(header, secret, id, now, body)
	case "token":
		if s.header != "" {
			header.Set(s.header, s.prefix+secret.Reveal())
		}
	case "jwt":
		err = ErrCannotSign
	case "basic":
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(secret.Reveal())))
	}
	if err != nil {
		return nil, fmt.Errorf("signing for %s: %w", d.name, err)
	}
	return header, nil
}

func (s *signature) signHMAC(header http.Header, secret Secret, id string, now time.Time, body []byte) error {
	key, problem := decodeSecret(secret.Reveal(), s.secretEncoding, s.secretPrefix)
	if problem != "" {
		return fmt.Errorf("the secret %s: the definition says secret_encoding %s", problem, s.secretEncoding)
	}
	if s.id.given() && (id == "" || !idFits(s.content, id)) {
		return errors.New("the signature needs an id, without the text that follows it in the signed content")
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	if s.timestampUnit == "ms" {
		timestamp = strconv.FormatInt(now.UnixMilli(), 10)
	}
	k := newHMACKey(s.algorithm, key)
	m := k.get()
	m.write(s.content, id, timestamp, body)
	text := encodeSignature(m.h.Sum(nil), s.encoding)
	if s.key == "" {
		text = s.prefix + text
	} else {
		text = s.key + "=" + text
		if s.id.key != "" {
			text = s.id.key + "=" + id + s.separator + text
		}
		if s.timestamp.key != "" {
			text = s.timestamp.key + "=" + timestamp + s.separator + text
		}
	}
	header.Set(s.header, text)
	if s.id.header != "" {
		header.Set(s.id.header, id)
	}
	if s.timestamp.header != "" {
		header.Set(s.timestamp.header, timestamp)
	}
	return nil
}

func (s *signature) signStandard(header http.Header, secret Secret, id string, now time.Time, body []byte) error {
	key, err := parseStandardKey(secret.Reveal())
	if err != nil {
		return fmt.Errorf("the secret %w", err)
	}
	if id == "" || !idFits(standardContent, id) {
		return errors.New("the signature needs an id without '.'")
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	var text string
	switch {
	case key.private != nil:
		text = "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(key.private, appendStandard(nil, id, timestamp, body)))
	case key.public != nil:
		return errors.New("the secret is a public key, which cannot sign: it takes the private one (whsk_)")
	default:
		m := newHMACKey("sha256", key.symmetric).get()
		m.write(standardContent, id, timestamp, body)
		text = "v1," + base64.StdEncoding.EncodeToString(m.h.Sum(nil))
	}
	names := headersOf(s.families[0])
	header.Set(names.id, id)
	header.Set(names.timestamp, timestamp)
	header.Set(names.signature, text)
	return nil
}

// encodeSignature is the inverse of decodeSignature.
func encodeSignature(sum []byte, encoding string) string {
	switch encoding {
	case "base64":
		return base64.StdEncoding.EncodeToString(sum)
	case "base64url":
		return base64.URLEncoding.EncodeToString(sum)
	}
	return hex.EncodeToString(sum)
}
