package autoclave

// SetWorkerPath makes workers of another executable: the doubles of the tests.
func (c *Config) SetWorkerPath(path string) { c.workerPath = path }

// WorkerPath is what SetWorkerPath has set.
func (c *Config) WorkerPath() string { return c.workerPath }
