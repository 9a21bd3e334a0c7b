package quickjs

// discardZeroes says that MADV_DONTNEED drops private pages at once. Elsewhere
// it is only a hint.
const discardZeroes = true
