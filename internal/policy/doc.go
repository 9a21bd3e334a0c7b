// Package policy decides what a program may do: which calls are allowed, asked
// about or denied, and where data may flow.
//
// It is pure. It must not know servers, sessions or programs but by the names
// that it is given, and it does nothing: whoever makes the calls asks before
// each of them (package dispatch).
//
// # Rules
//
// A [Policy] has a list of rules. The first one of which all conditions hold
// decides; where none matches the default of the server does, else the general
// one. See [Rule] and [Match].
//
// # Groups
//
// A strict group keeps what its servers say to itself. The model:
//
//	label     the name of a strict group. A server in the strict group g has the
//	          label g, every other server has none.
//	L         the set of labels of an execution. It only grows. It begins empty,
//	          or with what the session has had (ScopeSession).
//	S         the set of all labels that executions of the session have had.
//
//	Send      An execution may send to a server with the label g where L ⊆ {g},
//	          and to one without where L = ∅. To call is to send: whether a call
//	          is made says something, whatever its arguments.
//	Receive   When a call that has left to a server with the label g ends, L and
//	          S gain g, before the program gets to know it. Results, errors and
//	          silence are the same here.
//	Stash     What an execution puts carries L. What it gets hands its labels on
//	          to L. Package stash has the rules for keys that are not there and
//	          for entries that are replaced or deleted.
//	Refusal   A refused send says only what L is, which the program may know.
//
// The promise: what leaves for a server depends on no data of a strict group
// that the server is not in. Not by arguments, not by which calls are made, in
// which order, or whether; not by parallel branches, and not by way of the stash.
// The property tests run every history twice, with different secrets in a
// strict group, and compare what arrives everywhere else.
//
// Why S: after an execution has received data of g, that a key is absent from
// the stash may be its doing. So an execution without labels that looks for a
// key in vain takes on S. S must therefore grow when data is received, not when
// something is put: otherwise that nothing was put would tell.
//
// What a host must do, for each call of an execution with the [Flow] f and the
// session's stash:
//
//	a tool, a resource  f.Send(server) right before it leaves; when it has ended,
//	                    however it did, f.Receive(server), then Raise of the stash
//	                    with the labels that it returns, then the answer.
//	                    A call whose time is over has ended, also where its server
//	                    has not been heard of: the program knows.
//	stash.put           f.Labels() right before; f.Take(err.Labels) where refused.
//	stash.get, delete,  f.Labels() right before; f.Take of the labels that come
//	stash.keys          back, or of err.Labels; then the answer.
//
// What is not promised:
//
//   - What a program returns, logs and emits goes to the model, whatever L is.
//     With ScopeExecution the model may carry it into the next program. It is
//     the reader that the data was fetched for. ScopeSession closes this as well.
//   - Time, and how much is left of a shared limit (the size of the stash, a
//     rate, a budget, a circuit breaker), can be told by one execution to another.
//   - The catalog is everybody's: a server's own descriptions carry no label.
//   - A server that is in a strict group and talks to the world all the same.
//   - What a client answers to an upstream's own question may depend on whether
//     the program still runs.
package policy
