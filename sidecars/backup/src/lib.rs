//! Snapshots in restic format
