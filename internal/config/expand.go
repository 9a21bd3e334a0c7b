package config

import (
	"regexp"
	"slices"
	"strings"
)

// minSecret is the shortest value, in bytes, that is taken for a secret.
// Shorter ones occur in texts by chance; to redact them would make the texts
// useless and say where the secret is.
const minSecret = 6

// ordinary are variables that people use in configurations and that are no
// secrets.
var ordinary = []string{
	"HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "PWD", "HOSTNAME",
	"USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR",
}

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// secretName is what the names of secrets have in them, those of headers
	// and of variables.
	secretName = regexp.MustCompile(`(?i)(token|secret|passw|passphrase|credential|authorization|cookie|api[-_]?key|access[-_]?key|private[-_]?key|[-_]key$|^key$|auth[-_]?key)`)
)

func (d *decoder) addSecret(s string) {
	if len(s) >= minSecret {
		d.secrets[s] = true
	}
}

// addCredential adds the value of a header or a token, without the name of the
// scheme that may stand in front.
func (d *decoder) addCredential(s string) {
	d.addSecret(s)
	for _, scheme := range []string{"Bearer ", "Basic ", "Token "} {
		if len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			d.addSecret(strings.TrimSpace(s[len(scheme):]))
		}
	}
}

func (d *decoder) allSecrets() []string {
	out := make([]string, 0, len(d.secrets))
	for s := range d.secrets {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// expand replaces ${NAME} by the variable's value, ${NAME:-text} by text where
// the variable is not set or empty, and $${ by ${. What is put in is not
// expanded again.
func (d *decoder) expand(path, s string, secret bool) string {
	if d.raw {
		return s
	}
	var out strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			out.WriteString(s)
			return out.String()
		}
		if i > 0 && s[i-1] == '$' {
			out.WriteString(s[:i-1])
			out.WriteString("${")
			s = s[i+2:]
			continue
		}
		out.WriteString(s[:i])
		name, rest, ok := strings.Cut(s[i+2:], "}")
		if !ok {
			d.errorf(path, "has ${ without a } after it: write $${ where ${ itself is meant")
			return ""
		}
		s = rest
		value, ok := d.variable(path, name, secret)
		if !ok {
			return ""
		}
		out.WriteString(value)
	}
}

func (d *decoder) variable(path, name string, secret bool) (string, bool) {
	name = strings.TrimPrefix(name, "env:") // as VS Code and Cursor write it
	name, other, hasOther := strings.Cut(name, ":-")
	if id, ok := strings.CutPrefix(name, "input:"); ok {
		d.errorf(path, "uses ${input:%s}, for which VS Code asks when it starts the server. Nobody can be asked here: "+
			"set a variable in the environment, %s say, and write ${%s} instead", id, variableFor(id), variableFor(id))
		return "", false
	}
	if !variableName.MatchString(name) {
		d.errorf(path, "has ${%s}, which is no name of a variable: write ${NAME}, or $${ where ${ itself is meant", name)
		return "", false
	}
	value, ok := d.env(name)
	if hasOther && value == "" {
		return other, true
	}
	if !ok && d.isOff(path) {
		return "${" + name + "}", true
	}
	if !ok {
		d.errorf(path, "the variable %s is not set: set it in the environment, or write ${%s:-} where it may be empty", name, name)
		return "", false
	}
	if secretName.MatchString(name) || secret && !slices.Contains(ordinary, name) {
		d.addSecret(value)
	}
	return value, true
}

// variableFor makes up the name of a variable from the id of an input.
func variableFor(id string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, id)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}
