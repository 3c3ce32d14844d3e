//! Where data sets lie on disk: look-up, content hash, Arrow cache, import.
