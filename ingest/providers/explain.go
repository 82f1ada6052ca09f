package providers

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Explain says in words that help why a request failed: which other construction
// matches it, or what it carries in the place of a signature, and the definition's
// hint. err is what Verify returned. It returns "" where Verify's error says it all. Its
// text holds no secret and no signature and is for the log, not for the answer. It takes up to
// a few tenths of a second for each secret: call it for a few failures a minute, not for each.
func (v *Verifier) Explain(r Request, err error) string {
	if err == nil || errors.Is(err, ErrOutsideWindow) {
		return ""
	}
	if errors.Is(err, ErrKeysUnavailable) {
		return v.def.signature.hint
	}
	for i, secret := range v.secrets {
		which := "this secret"
		if len(v.secrets) > 1 {
			which = fmt.Sprintf("secret %d of %d", i+1, len(v.secrets))
		}
		found := Constructions(r, secret)
		if len(found) == 0 {
			continue
		}
		words := v.def.difference(found[0], which, strings.HasPrefix(secret.Reveal(), v.def.signature.secretPrefix))
		if names := without(Matching(r, secret), v.def.name); len(names) > 0 {
			words = fmt.Sprintf("with %s the request is right by the built-in definition %s: is it the source's provider? Else: %s", which, strings.Join(names, " or "), words)
		}
		return words
	}
	if errors.Is(err, ErrNoSignature) {
		if like := signatureLike(r); like != "" {
			return "the request carries what looks like signatures in other headers: " + like
		}
		return "the request carries nothing that looks like a signature: is the URL the provider's, or a browser's?"
	}
	if !errors.Is(err, ErrBadSignature) {
		return ""
	}
	words := "no construction that is known matches either: the secret is another one (of another environment, or an API key in its place), or something changed the body on the way"
	if v.def.signature.scheme == "jwt" {
		words = v.def.signature.explainToken(r, err)
	}
	if hint := v.def.signature.hint; hint != "" {
		words = strings.TrimPrefix(words+". "+hint, ". ")
	}
	return words
}

// without returns the list without one name.
func without(list []string, name string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == name })
}

// difference says what in the definition or the secret makes the construction fail.
// prefixed is whether the secret begins with the definition's secret_prefix.
func (d *Definition) difference(c Construction, which string, prefixed bool) string {
	s := d.signature
	if len(c.Caveats) > 0 {
		return "the signature matches " + which + ", but: " + strings.Join(c.Caveats, "; ")
	}
	if c.Scheme != s.scheme {
		if c.Scheme == "hmac" && s.scheme == "standard-webhooks" && c.SecretEncoding == "utf8" {
			return which + " used verbatim, not decoded, matches (Stripe's way): the sender needs a definition with scheme hmac:\n" + c.YAML()
		}
		return fmt.Sprintf("the definition says %s, and the request is right for another scheme with %s: %s; in a definition:\n%s", s.scheme, which, c, c.YAML())
	}
	if c.Scheme != "hmac" {
		return "the request is right in another place with " + which + ": " + c.String()
	}
	var parts []string
	add := func(key, want, has string) {
		if want != has {
			parts = append(parts, fmt.Sprintf("%s %s where the definition says %q", key, yamlText(want), has))
		}
	}
	takenOff := prefixed && s.secretPrefix != "" && c.SecretPrefix == "" // by the definition, and not by the sender
	if c.SecretEncoding != s.secretEncoding || takenOff || c.SecretPrefix != "" && c.SecretPrefix != s.secretPrefix {
		form := map[string]string{"base64": "the base64 form", "hex": "the hexadecimal form", "utf8": "a text that is not decoded"}[c.SecretEncoding]
		if c.SecretPrefix != "" {
			form += " after " + c.SecretPrefix
		}
		parts = append(parts, fmt.Sprintf("%s looks like %s: with secret_encoding %s%s the signature matches",
			which, form, c.SecretEncoding, prefixHint(c.SecretPrefix, takenOff)))
	}
	add("header", c.Header, s.header)
	add("algorithm", c.Algorithm, s.algorithm)
	if strings.TrimSuffix(c.Encoding, "url") != strings.TrimSuffix(s.encoding, "url") {
		add("encoding", c.Encoding, s.encoding)
	}
	add("content", c.Content, s.template())
	if c.Prefix != "" && c.Separator == "" && c.Prefix != s.key+"=" {
		add("prefix", c.Prefix, s.prefix)
	}
	if c.Key != "" {
		add("key", c.Key, s.key)
	}
	if len(parts) == 0 {
		return "the signature matches with " + which + " in a form that the definition does not allow: " + c.String()
	}
	return strings.Join(parts, "; ")
}

func prefixHint(prefix string, takenOff bool) string {
	switch {
	case prefix != "":
		return " and secret_prefix " + prefix
	case takenOff:
		return " and without secret_prefix"
	}
	return ""
}

// template is the content as the definition spells it.
func (s *signature) template() string {
	var b strings.Builder
	for _, seg := range s.content {
		b.WriteString([...]string{seg.text, "{id}", "{timestamp}", "{body}"}[seg.kind])
	}
	return b.String()
}

// signatureLike lists headers whose names or values are like signatures.
func signatureLike(r Request) string {
	s := &search{request: r}
	s.collect()
	seen := map[string]bool{}
	for _, sig := range s.signatures {
		seen[sig.Header] = true
	}
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.Contains(lower, "signature") || strings.Contains(lower, "hmac") {
			seen[name] = true
		}
	}
	var names []string
	for name := range seen {
		names = append(names, cut(name, 64))
	}
	sort.Strings(names)
	if len(names) > 5 {
		names = names[:5]
	}
	return strings.Join(names, ", ")
}
