//! The agent process: API and wiring
