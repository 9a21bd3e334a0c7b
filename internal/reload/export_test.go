package reload

// Look is one look at the file.
func (w *Watcher) Look() { w.known = w.look(w.known) }
