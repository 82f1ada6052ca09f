package providers

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
)

// This file has ways to sign that no definition can describe, so that whoever
// meets one is told what it is and why it is not accepted.

// unusualContents leave the body out, or can be read in two ways.
var unusualContents = []struct {
	template string
	content  []segment
	why      string
}{
	{"{timestamp}", []segment{{segTimestamp, ""}}, whyBodyless},
	{"{id}", []segment{{segID, ""}}, whyBodyless},
	{"{id}.{timestamp}", []segment{{segID, ""}, {segLiteral, "."}, {segTimestamp, ""}}, whyBodyless},
	{"{timestamp}{body}", []segment{{segTimestamp, ""}, {segBody, ""}}, whyAmbiguous},
	{"{body}{timestamp}", []segment{{segBody, ""}, {segTimestamp, ""}}, whyAmbiguous},
	{"{id}{timestamp}{body}", []segment{{segID, ""}, {segTimestamp, ""}, {segBody, ""}}, whyAmbiguous},
}

const (
	whyBodyless  = "it does not cover the body, so whoever has seen one can send any other body with it: no definition accepts that"
	whyAmbiguous = "nothing stands between the parts that are signed, so other requests have the same signature: no definition accepts that"
)

// unusual tries them with the body as it came.
func (s *search) unusual() {
	before := len(s.found)
	for _, u := range unusualContents {
		s.over(u.content, u.template, bodyForm{s.request.Body, u.why}, s.forms())
	}
	for i := before; i < len(s.found); i++ {
		if s.found[i].Scheme == "hmac" {
			s.found[i].Scheme = "other"
		}
	}
}

// sum looks for a plain hash of secret and body, and for an HMAC with another hash.
func (s *search) sum() {
	sum := sha256.Sum256(append([]byte(s.secret), s.request.Body...))
	for _, sig := range s.signatures {
		if sig.Algorithm == "sha256" && hmac.Equal(sum[:], sig.bytes) {
			s.found = append(s.found, Construction{Scheme: "other", Header: sig.Header, Caveats: []string{
				"it is the plain SHA-256 of secret and body, which others can extend (it is no HMAC): take another signature of this sender"}})
		}
	}
	for _, other := range []struct {
		name string
		new  func() hash.Hash
	}{{"MD5", md5.New}, {"SHA-224", sha256.New224}, {"SHA-384", sha512.New384}} {
		m := hmac.New(other.new, []byte(s.secret))
		m.Write(s.request.Body)
		text := hex.EncodeToString(m.Sum(nil))
		for _, name := range s.names {
			for _, value := range s.request.Header[name] {
				if len(value) <= maxHeader && holdsHex(value, text) {
					s.found = append(s.found, Construction{Scheme: "other", Header: name, Caveats: []string{
						"it is an HMAC of the body with " + other.name + ", which no definition describes (sha1, sha256, sha512)"}})
				}
			}
		}
	}
}
