// Package redact takes out of texts what a model must not see: the values of
// configured secrets, what has the shape of a credential, and, from messages,
// paths and addresses of this host's world and frames of stack traces.
//
// # What applies where
//
// A message (an error, a suggestion, a log line) is written for people, and
// tells more of the host than anybody asked for: all classes apply to it. What
// is left is the message: names of tools, what was expected, codes, the last
// element of a path, the port of an address, the first line of a trace.
//
// Data (the result of a tool) is what the program asked for. A tool that lists
// files must list files, so only secrets, credentials and the configured
// patterns are taken out, and of credentials only those that their shape gives
// away; Config.DataAlso adds classes. What only a name gives away, such as
// token=abc, is taken out of messages alone: pages and cursors are called
// tokens too.
//
// # Encodings
//
// A secret is found as it is (its ASCII letters in any case), in hexadecimal (in any case, run
// together or with spaces or colons between), in base64 at each of the three
// alignments, with the standard or the URL alphabet, padded or not, on one line
// or wrapped; and behind percent-encoding, HTML entities and backslash escapes
// of any subset of its characters, up to three layers of them above the JSON
// text's own. Marks never need escaping in any of them.
//
// Out of reach is what is transformed in another way: reversed, compressed,
// encrypted, behind the beginning of an escape that makes another character of
// its first one, encoded twice in base64, in UTF-16, with characters put in
// between, escaped more than three times over; and what is in parts: cut off, or
// split over two strings of a JSON text (a private key that is an array of
// lines), over two results, or over the name and the value of a member. So
// texts are redacted first and cut to length afterwards.
//
// The package is pure: it knows nothing of configuration files, servers or
// MCP, and does no input or output.
package redact
