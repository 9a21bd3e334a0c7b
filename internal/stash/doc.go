// Package stash keeps what programs put away between the executions of a
// session: JSON texts by key, bounded in number, size and time.
//
// It must not know what a program, a server or a policy is. Labels are
// opaque to it; package policy gives them their meaning.
//
// # Labels
//
// Every entry carries the labels of the execution that put it, a set of
// names of strict groups. An execution that gets the entry takes them on. That
// alone would leave three ways out, because the keys that are there, and those
// that are not, say something too:
//
//   - an execution with a label puts or does not put a key, and one without
//     looks whether the key is there;
//   - it deletes or replaces an entry that has no label, or does not;
//   - it says what it knows in the name of a key.
//
// So the store is several stores in one, one for each set of labels, and these
// are the rules. L is what the execution has, P what an entry was put with,
// and "all" is every label that the session has had (see [Store.Raise]).
//
//	Get     the newest entry with P ⊆ L, at no cost; where there is none, the
//	        newest of all entries, or nothing: either way the execution takes
//	        on all.
//	Keys    the keys of all entries; the execution takes on all.
//	Put     refused where the key has an entry with P ⊂ L. Otherwise the entry
//	        is put with L, and those with P ⊃ L go.
//	Delete  refused likewise. Otherwise the entries with P ⊇ L go. Where none
//	        had P = L, the execution takes on all.
//
// An execution therefore learns nothing of entries with a label that it does
// not have without taking that label on, and changes nothing that one with
// fewer labels could tell. What is left is how full the store is: a Put that
// is refused for want of room hands on all labels, but one that is not refused
// says that there was room.
//
// Without strict groups there are no labels, and a store is a plain map.
//
// # Entries elsewhere
//
// A key is 1 to 256 bytes of A-Z a-z 0-9 _ - . and the colon, a value is one
// JSON text, and an [Entry] marshals to a JSON object that says all about it:
// enough for a store that several processes share.
package stash
