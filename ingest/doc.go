// Package ingest receives webhooks: POST /in/{source}. It proves who sent
// them, stores them, and only then says 200.
//
// Guarantees: 200 is written after the log's Append returned nil and never for
// less; the signature is checked over the raw bytes before anything else
// looks at them; the body is never parsed, but where a definition has fields of
// it redacted before they are stored; no name from outside becomes a
// header, a path or a label; trouble of ours is answered 503 and never 4xx,
// because many senders do not retry a 4xx. What one request and all requests
// together may take (connections, header and body bytes, decoded bytes, time) is bounded.
//
// Flow: source → limits → raw body → signature → Content-Encoding → redaction
// → Append → 200. Every answer is a row of the table in answer.go.
package ingest
