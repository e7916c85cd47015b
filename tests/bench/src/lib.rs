//! Benchmarks with the peer beside them
