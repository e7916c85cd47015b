//! platform.toml: read, validated, explained
