// Package keys is who may query and administer a server: API keys, made from
// 256 random bits, sent as "Authorization: Bearer KEY".
//
// Guarantees: the keys file holds a SHA-256 of each key and never the key
// itself, is 0600, and is replaced as a whole or not at all; a key is compared
// in constant time; a key added to the file or taken out of it counts within a
// second, without a restart; a file that has become unreadable neither locks
// out the keys already known nor lets anybody in without one.
//
// A fast hash is right here: nobody can guess 256 random bits, so a slow one
// would protect nothing and make every request a load.
//
// Flow: cmd opens the ring and wraps the API with Require. Ingest is
// not behind it: a webhook proves itself by its signature alone.
package keys
