package redact

import "strings"

// hostRoots are the directories that absolute paths of hosts begin with. Others
// are left: most that begins with a slash in a message is a route of an API.
var hostRoots = roots(`
	home Users root tmp var usr etc opt srv mnt proc sys run boot lib lib64 bin sbin nix snap
	private/var private/tmp private/etc Library Applications System/Library Volumes cygdrive c/Users mnt/c
	app workspace workspaces builds go/src go/pkg rustc __w github/workspace github/home data/data`)

// roots makes "/home/" of each home.
func roots(names string) []string {
	all := strings.Fields(names)
	for i, name := range all {
		all[i] = "/" + name + "/"
	}
	return all
}

// homes are the directories that have those of people in them.
var homes = []string{"/home/", "/Users/", "/c/Users/", "\\Users\\", ":/Users/"}

// isHostPath reports whether s is a path of a host and nothing else.
func isHostPath(s string) bool {
	for _, root := range hostRoots {
		if strings.HasPrefix(s+"/", root) {
			return true
		}
	}
	return isDrive(s, 0)
}

func pathFinders() []finder {
	fs := []finder{{literal: "file://", find: fileURL("file://")}, {literal: "unix://", find: fileURL("unix://")}}
	for _, root := range hostRoots {
		fs = append(fs, finder{literal: root, find: func(t *subject, i, offset int) (edit, bool) { return unixPath(t.s, i-offset, root) }})
	}
	return fs
}

// unixPath shortens a path to its last element.
func unixPath(s string, at int, root string) (edit, bool) {
	if !hasLiteral(s, at, root) || !strings.HasPrefix(s[at:], root) || at > 0 && !beginsPath(s, at) {
		return edit{}, false
	}
	end := pathEnd(s, at, '/')
	return shortened(s, at, at, end), true
}

// shortened puts a mark in place of all of the path s[from:end] but its last
// element, which stays with what separates it, and of what is in front of it
// from at on. Of a home directory nothing stays: its last element is a name.
func shortened(s string, at, from, end int) edit {
	path := strings.TrimRight(s[from:end], "/\\")
	last := strings.LastIndexAny(path, "/\\")
	for _, home := range homes {
		if plain := strings.ReplaceAll(path[:last+1], `\\`, `\`); strings.HasSuffix(plain, home) && strings.Count(plain, home[len(home)-1:]) <= 3 {
			return edit{at, from + len(path), markPath, rankPath}
		}
	}
	for last > 0 && path[last-1] == path[last] {
		last--
	}
	return edit{at, from + last, markPath, rankPath}
}

// beginsPath reports whether a path can begin at s[at].
func beginsPath(s string, at int) bool {
	if escapeEnds(s, at) {
		return true
	}
	switch c := s[at-1]; {
	case c == ' ':
		// A route of an API, not a path: GET /data/items.
		for _, method := range []string{"GET", "PUT", "POST", "HEAD", "PATCH", "DELETE", "OPTIONS"} {
			if strings.HasSuffix(s[:at-1], method) {
				return false
			}
		}
		return true
	case isAny(c, "/].~-}*@#%$") || c >= 0x80:
		return false
	case c == ':':
		// Behind the port of an address, a host, or a drive, it is that one's.
		return at < 2 || !is(s[at-2], isDigit)
	}
	return !is(s[at-1], isWord)
}

// pathEnd returns where the path that begins at s[at] ends. In quotes it is the
// quote; elsewhere spaces are in few well-known names only.
func pathEnd(s string, at int, separator byte) int {
	if at > 0 && isAny(s[at-1], "\"'`") {
		window := s[at:min(len(s), at+1024)]
		if n := strings.IndexByte(window, s[at-1]); n >= 0 && strings.IndexByte(window[:n], '\n') < 0 {
			return at + n
		}
	}
	i := at
	for i < len(s) {
		switch c := s[i]; {
		case c == ' ':
			n := spaceInPath(s, i, separator)
			if n == 0 {
				return i
			}
			i += n
		case c == ':' && i != at+1, c < ' ', isAny(c, "\"'`)]},;|<>*?"), c == '\\' && separator == '/', c == '(' && separator == '/':
			return i
		default:
			i++
		}
	}
	return i
}

// spaceInPath returns how many bytes at the space s[i] belong to a path.
func spaceInPath(s string, i int, separator byte) int {
	for _, rest := range []string{" Support/", " Files\\", " Files (x86)\\", " Files/", " Files (x86)/"} {
		if strings.HasPrefix(s[i:], rest) {
			return len(rest)
		}
	}
	if separator != '\\' {
		return 0
	}
	// C:\Users\John Smith\x: up to two more words, and then a backslash.
	spaces := 0
	for j := i; j < len(s) && j < i+64; j++ {
		switch c := s[j]; {
		case c == '\\' && j > i+1:
			return j - i
		case c == ' ':
			if spaces++; spaces > 2 {
				return 0
			}
		case !is(c, charsets[setDots]) && c < 0x80:
			return 0
		}
	}
	return 0
}

// fileURL shortens file:///a/b/c to [path]/c.
func fileURL(prefix string) func(t *subject, i, offset int) (edit, bool) {
	return func(t *subject, i, offset int) (edit, bool) {
		s, at := t.s, i-offset
		if !hasLiteral(s, at, prefix) {
			return edit{}, false
		}
		path := at + len(prefix)
		end := pathEnd(s, path, '/')
		// A drive's colon does not end it.
		if end == path+2 && isDrive(s, path+1) {
			end = pathEnd(s, path+1, '/')
		}
		if !strings.Contains(strings.TrimRight(s[path:end], "/"), "/") {
			return edit{}, false
		}
		return shortened(s, at, path, end), true
	}
}

// windowsPaths adds paths with a drive, and those of shares. Backslashes may be
// doubled.
func windowsPaths(s string, edits []edit) []edit {
	for at := 0; at < len(s); {
		n := strings.IndexAny(s[at:], ":\\")
		if n < 0 {
			return edits
		}
		n += at
		at = n + 1
		begin := n
		switch {
		case s[n] == ':' && n > 0 && isDrive(s, n-1) && (n == 1 || !is(s[n-2], isWord) || escapeEnds(s, n-1)):
			begin = n - 1
		case s[n] == '\\' && isShare(s, n):
		default:
			continue
		}
		separator := byte('\\')
		if s[n] == ':' && s[n+1] == '/' {
			separator = '/'
		}
		end := pathEnd(s, begin, separator)
		if path := strings.TrimRight(s[begin:end], "\\/"); strings.LastIndexAny(path, "\\/") > 1 {
			edits = append(edits, shortened(s, begin, begin, end))
		}
		at = max(at, end)
	}
	return edits
}

// isDrive reports whether C:\ or C:/ is at s[i:], the latter not as a part of
// an address.
func isDrive(s string, i int) bool {
	return i >= 0 && i+3 <= len(s) && is(s[i], isLetter) && s[i+1] == ':' && (s[i+2] == '\\' || s[i+2] == '/' && (i+3 == len(s) || s[i+3] != '/'))
}

// isShare reports whether \\host\share is at s[i:], as it is or escaped.
func isShare(s string, i int) bool {
	if i > 0 && (s[i-1] == '\\' || is(s[i-1], isWord|isDot) || s[i-1] == ':' || s[i-1] == ']') {
		return false
	}
	slashes := i
	for slashes < len(s) && s[slashes] == '\\' {
		slashes++
	}
	if n := slashes - i; n != 2 && n != 4 {
		return false
	}
	host := slashes
	for host < len(s) && is(s[host], charsets[setDots]) {
		host++
	}
	return host-slashes >= 2 && host < len(s)-1 && s[host] == '\\' && (is(s[host+1], isAlnum) || s[host+1] == '\\' && slashes-i == 4)
}
