package redact

import "encoding/json"

// JSONDecoded redacts as JSON does, without the look at the bytes as they are.
func (r *Redactor) JSONDecoded(raw json.RawMessage) string {
	s := string(raw)
	return apply(s, r.data.jsonEdits(s))
}

// Shapes returns an example of each shape, which is no real credential.
func Shapes(tail func(chars string, n int) string) (examples []string) {
	for _, sh := range append(append([]shape{}, shapes...), links...) {
		var chars []byte
		for c := range byte(128) {
			if is(c, charsets[sh.tail]) {
				chars = append(chars, c)
			}
		}
		examples = append(examples, sh.prefix+tail(string(chars), sh.min))
	}
	return examples
}
