//! What both functions need around their core.
