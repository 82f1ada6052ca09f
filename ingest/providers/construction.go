package providers

import (
	"fmt"
	"strings"
)

// Construction is a way in which a captured request turns out to be signed.
type Construction struct {
	// Scheme is hmac, standard-webhooks, jwt, token, basic, or "other" for a way that no definition can describe.
	Scheme string
	// Header carries the signature or the token; "" where the path does.
	Header string
	// Prefix, Separator and Key are as in a definition.
	Prefix, Separator, Key string
	// Algorithm, Encoding and Content are as in a definition; of a JWT Content is the
	// claim that holds the SHA-256 of the body, "" where none does.
	Algorithm, Encoding, Content string
	// IDHeader is the header of {id}; TimestampHeader or TimestampKey is where {timestamp} stands.
	IDHeader, TimestampHeader, TimestampKey string
	// SecretEncoding and SecretPrefix are how the secret becomes the key.
	SecretEncoding, SecretPrefix string
	// Caveats say what differs from any definition: a body that was changed on
	// the way, white space around the secret. Where there is one, no definition makes the request pass.
	Caveats []string
}

// String describes the construction in one line, without the secret.
func (c Construction) String() string {
	var s string
	switch c.Scheme {
	case "standard-webhooks":
		s = fmt.Sprintf("Standard Webhooks in the header %s", c.Header)
	case "token":
		s = "the secret itself as a token in the path"
		if c.Header != "" {
			s = fmt.Sprintf("the secret itself as a token in the header %s", c.Header)
		}
	case "basic":
		s = "HTTP basic authentication with the secret as user:password"
	case "jwt":
		s = fmt.Sprintf("a JWT in the header %s, %s", c.Header, c.Algorithm)
		if c.Content != "" {
			s += fmt.Sprintf(", with the SHA-256 of the body as its claim %s", c.Content)
		}
	default:
		if c.Algorithm == "" {
			s = fmt.Sprintf("header %s", c.Header)
			break
		}
		s = fmt.Sprintf("header %s: HMAC-%s of %s in %s, secret as %s",
			c.Header, strings.ToUpper(c.Algorithm), c.Content, c.Encoding, c.SecretEncoding)
		if c.SecretPrefix != "" {
			s += " without its " + c.SecretPrefix
		}
	}
	for _, caveat := range c.Caveats {
		s += "; " + caveat
	}
	return s
}

// YAML returns the `signature:` part of a definition for the construction, ""
// where no definition can describe it.
func (c Construction) YAML() string {
	if len(c.Caveats) > 0 {
		return ""
	}
	var b strings.Builder
	line := func(key, value, byDefault string) {
		if value != byDefault {
			fmt.Fprintf(&b, "  %s: %s\n", key, yamlText(value))
		}
	}
	b.WriteString("signature:\n")
	line("scheme", c.Scheme, "")
	switch c.Scheme {
	case "token":
		line("header", c.Header, "")
		line("prefix", c.Prefix, "")
		if c.Header == "" {
			b.WriteString("  path: true\n")
		}
	case "standard-webhooks":
		family := strings.TrimSuffix(strings.ToLower(c.Header), "signature")
		if family != "webhook-" && family != "svix-" {
			fmt.Fprintf(&b, "  header_prefixes: [%s]\n", yamlText(family))
		}
	case "hmac":
		line("header", c.Header, "")
		line("algorithm", c.Algorithm, "sha256")
		line("encoding", c.Encoding, "hex")
		line("prefix", c.Prefix, "")
		line("separator", c.Separator, "")
		line("key", c.Key, "")
		line("content", c.Content, "{body}")
		if c.IDHeader != "" {
			fmt.Fprintf(&b, "  id: {header: %s}\n", c.IDHeader)
		}
		if c.TimestampHeader != "" {
			fmt.Fprintf(&b, "  timestamp: {header: %s}\n", c.TimestampHeader)
		}
		if c.TimestampKey != "" {
			fmt.Fprintf(&b, "  timestamp: {key: %s}\n", yamlText(c.TimestampKey))
		}
		line("secret_encoding", c.SecretEncoding, "utf8")
		line("secret_prefix", c.SecretPrefix, "")
	}
	return b.String()
}

// yamlText writes a text so that YAML reads it back as that text.
func yamlText(s string) string {
	for _, c := range s {
		if !(c == '_' || c == '-' || c < 0x80 && (isDigit(byte(c)) || c|0x20 >= 'a' && c|0x20 <= 'z')) {
			return fmt.Sprintf("%q", s)
		}
	}
	if s == "" || isDigit(s[0]) || s[0] == '-' {
		return fmt.Sprintf("%q", s)
	}
	return s
}
