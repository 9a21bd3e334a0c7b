package autoclave

// SetWorkerPath makes workers of another executable: the doubles of the tests.
func (c *Config) SetWorkerPath(path string) { c.workerPath = path }
