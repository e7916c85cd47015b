//! Simulated engine, builders and a fixed clock
