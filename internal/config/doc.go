// Package config reads what people configure, autoclave.toml and the mcp.json
// files of other clients, into the Config structs of the packages that the
// values are for.
//
// It is strict: a key that is not known is an error, with the nearest one that
// is, and so is a variable that is not set. An error says the file, the line and
// the column. What a key means, its default and its unit stand in one place,
// the commented example (see [Example]), from which the JSON Schema takes its
// descriptions.
//
// It must not connect, start or open anything but the files that it reads.
package config
