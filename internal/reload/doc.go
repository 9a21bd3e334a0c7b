// Package reload notices that the configuration file has changed, and says what
// a change of the configuration takes to come into force.
//
// It knows nothing of what is being configured: whoever owns the servers, the
// rules and the workers does what is to be done.
package reload
