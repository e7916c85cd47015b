//! The edge of every process: telemetry, secrets, clock, sockets, drain
