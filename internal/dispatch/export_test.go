package dispatch

// Asking returns how many executions wait for a person.
func (d *Dispatcher) Asking() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asking
}
