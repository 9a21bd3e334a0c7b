// Package audit keeps the record of what programs did: one JSON line for each
// execution, written before the result of the execution is returned.
//
// It must not know how executions run or what decides about calls; it is given
// records and writes them. What is in a record is not redacted: the file is the
// operator's.
package audit
