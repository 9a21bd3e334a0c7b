package redact

import (
	"encoding/json"
	"fmt"
	"regexp"
	"unsafe"
)

// MinSecret is the shortest secret, in bytes, that is looked for. Shorter ones
// occur in texts by chance: to take them out would make texts useless, and
// would say where the secret is.
const MinSecret = 6

// Classes is a set of kinds of what is taken out beside secrets and patterns.
type Classes uint8

// The classes.
const (
	// Credentials are tokens, keys, passwords and authorization headers.
	Credentials Classes = 1 << iota
	// HostPaths are absolute paths of file systems. The last element stays.
	HostPaths
	// PrivateAddresses are addresses of RFC 1918, RFC 6598 (carrier-grade NAT),
	// link-local and unique local ones, and names below .internal, .local, .lan,
	// .corp, .intranet, .localdomain and .home.arpa. Loopback addresses stay:
	// they say nothing of a network, and much to whoever reads an error.
	PrivateAddresses
	// StackTraces are the frames of stack traces: Go, Node.js, Python, Java,
	// .NET, Rust, Ruby and PHP. Messages in front of, between and behind them
	// stay.
	StackTraces

	allClasses = Credentials | HostPaths | PrivateAddresses | StackTraces
)

// Config says what is redacted. The zero Config redacts all classes, and has no
// secrets. It is copied.
type Config struct {
	// Secrets are values that are redacted wherever they stand, in messages and
	// in data, whatever the classes. White space around them is not part of
	// them. The password of one that is a URL, and the credentials of one that is
	// an authorization header, are secrets too, as are the lines of a private
	// key. Those that are too short or too common are passed over: see Skipped.
	Secrets []string
	// Patterns are regular expressions (RE2): what they match is redacted in
	// messages and in data. One without a literal of four bytes or more that is
	// in all its matches is run over every text, which is slow: see Slow.
	Patterns []string
	// Off has the classes that are redacted nowhere.
	Off Classes
	// DataAlso has the classes that are redacted in data too. Credentials are
	// anyway.
	DataAlso Classes
}

// Redactor redacts. It is immutable: its methods may be called concurrently.
type Redactor struct {
	message, data profile
	skipped       []string
	slow          []string
}

// New returns a Redactor, or an error that names the field that is wrong. No
// error and no other word of this package contains a secret.
func New(cfg Config) (*Redactor, error) {
	if extra := (cfg.Off | cfg.DataAlso) &^ allClasses; extra != 0 {
		return nil, fmt.Errorf("redact: Config.Off or Config.DataAlso has the unknown class %#x", uint8(extra))
	}
	if both := cfg.Off & cfg.DataAlso; both != 0 {
		return nil, fmt.Errorf("redact: Config.Off and Config.DataAlso have the same class %#x: it is either", uint8(both))
	}
	r := &Redactor{}
	var patterns []pattern
	for i, expr := range cfg.Patterns {
		p, err := newPattern(expr)
		if err != nil {
			return nil, fmt.Errorf("redact: Config.Patterns[%d] %w", i, err)
		}
		if p.literal == "" {
			r.slow = append(r.slow, fmt.Sprintf("Patterns[%d] has no literal of %d bytes or more that is in all its matches: it is run over every text", i, gram))
		}
		patterns = append(patterns, p)
	}
	var secrets []secret
	seen := map[string]bool{}
	for i, s := range cfg.Secrets {
		values, problem := secretValues(s)
		if problem != "" {
			r.skipped = append(r.skipped, fmt.Sprintf("Secrets[%d] %s", i, problem))
		}
		for _, v := range values {
			if !seen[v] {
				seen[v] = true
				secrets = append(secrets, newSecret(v))
			}
		}
	}
	r.message = newProfile(allClasses&^cfg.Off, true, secrets, patterns)
	r.data = newProfile((Credentials|cfg.DataAlso)&^cfg.Off, false, secrets, patterns)
	return r, nil
}

// Skipped says which secrets are not looked for, and why, by index and without
// the value. It is meant for the log.
func (r *Redactor) Skipped() []string { return r.skipped }

// Slow says which patterns have to be run over every text.
func (r *Redactor) Slow() []string { return r.slow }

// Text redacts a message, such as that of an error. A text in which nothing is
// to be redacted is returned as it is. To redact what is redacted already
// changes nothing. The text may grow: at worst threefold.
func (r *Redactor) Text(s string) string { return r.message.text(s) }

// MessageJSON redacts a JSON text as JSON does, but as a message: it is for
// results that are errors.
func (r *Redactor) MessageJSON(raw json.RawMessage) json.RawMessage { return r.message.json(raw) }

// JSON redacts a JSON text that is data. Strings are looked at decoded, those
// that are names of members too; a number that is a secret becomes a string.
// All else stays byte by byte, and what was valid JSON stays that, though two
// members may come to have the same name. Where nothing is to be redacted the
// same slice is returned, and otherwise a new one. The text may grow: at worst
// threefold.
func (r *Redactor) JSON(raw json.RawMessage) json.RawMessage { return r.data.json(raw) }

// DataText redacts a text that is data and no JSON.
func (r *Redactor) DataText(s string) string { return r.data.text(s) }

// profile is what is redacted in one sort of text.
type profile struct {
	classes Classes
	message bool
	filter  *filter
	// always are patterns for which the filter cannot look.
	always []*regexp.Regexp
	// odd is set where a secret has a character that JSON has to escape, and
	// wide where it has one beyond ASCII: then more escapes are suspicious.
	odd, wide bool
	// hasSecrets spares a look at numbers.
	hasSecrets bool
}

func newProfile(classes Classes, message bool, secrets []secret, patterns []pattern) profile {
	p := profile{classes: classes, message: message, hasSecrets: len(secrets) > 0 || len(patterns) > 0}
	var finders []finder
	for _, s := range secrets {
		finders = append(finders, s.finders()...)
		p.odd, p.wide = p.odd || s.odd, p.wide || s.wide
	}
	for _, pat := range patterns {
		if pat.literal == "" {
			p.always = append(p.always, pat.re)
			continue
		}
		finders = append(finders, finder{literal: pat.literal, pattern: pat.re})
	}
	if classes&Credentials != 0 {
		finders = append(finders, credentialFinders(message)...)
	}
	if classes&HostPaths != 0 {
		finders = append(finders, pathFinders()...)
	}
	if classes&PrivateAddresses != 0 {
		finders = append(finders, hostFinders()...)
	}
	p.filter = newFilter(finders)
	return p
}

// maxPasses is how often a text is looked at in which something was found: with
// a mark in it, it may look like what it did not look like before.
const maxPasses = 4

func (p *profile) text(s string) string {
	for range maxPasses {
		edits := p.edits(s)
		if len(edits) == 0 {
			break
		}
		s = apply(s, edits)
	}
	return s
}

// json looks at the bytes as they are first: nearly always there is nothing,
// and no string need be decoded to know that.
func (p *profile) json(raw json.RawMessage) json.RawMessage {
	// The string is read while this function runs, and the slice is not written.
	s := unsafe.String(unsafe.SliceData(raw), len(raw))
	if p.clean(s) {
		return raw
	}
	for range maxPasses {
		edits := p.jsonEdits(s)
		if len(edits) == 0 {
			break
		}
		s = apply(s, edits)
		raw = json.RawMessage(s)
	}
	return raw
}

// clean reports that nothing is to be redacted in a JSON text. It may say no
// where there is nothing, and never yes where there is something.
func (p *profile) clean(s string) bool {
	if p.classes&^Credentials != 0 || len(p.always) > 0 {
		return false
	}
	if p.suspicious(s) || p.filter.any(s) {
		return false
	}
	return p.classes&Credentials == 0 || len(userinfo(s, nil)) == 0
}

// maxLayers bounds how many times a text is decoded to look behind escapes.
const maxLayers = 3

// edits returns what is to be changed in a text, in order and apart.
func (p *profile) edits(s string) []edit {
	edits := p.find(s)
	if !p.suspicious(s) {
		return edits
	}
	// The sources of the views, outermost first, to find the way back.
	sources := []string{s}
	for len(sources) <= maxLayers {
		source := sources[len(sources)-1]
		view, changed := decode(source, looseEscape)
		if !changed {
			break
		}
		found := p.find(view)
		for i := len(sources) - 1; i >= 0; i-- {
			found = translate(sources[i], looseEscape, found)
		}
		edits = append(edits, found...)
		if !p.suspicious(view) {
			break
		}
		sources = append(sources, view)
	}
	return merge(edits)
}

// find looks at a text as it is.
func (p *profile) find(s string) []edit {
	edits := p.filter.all(s)
	for _, re := range p.always {
		edits = patternEdits(edits, re, s)
	}
	if p.classes&Credentials != 0 {
		edits = userinfo(s, edits)
	}
	if p.classes&HostPaths != 0 {
		edits = windowsPaths(s, edits)
	}
	if p.classes&PrivateAddresses != 0 {
		edits = addresses(s, edits)
	}
	if p.classes&StackTraces != 0 {
		edits = traces(s, edits)
	}
	return merge(edits)
}
