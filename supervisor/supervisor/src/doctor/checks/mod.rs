//! One file a check. Each is a function of [`Facts`](super::facts::Facts) and says what it found in half a sentence.

pub mod channels;
pub mod clock;
pub mod config;
pub mod containers;
pub mod copies;
pub mod disk_space;
pub mod docker;
pub mod images;
pub mod listeners;
pub mod live_restore;
pub mod log_limits;
pub mod model_box;
pub mod ports;
pub mod quotas;
pub mod run_tmpfs;
pub mod secrets;
pub mod snapshots;
pub mod sockets;
pub mod supervisor;
pub mod switch;
pub mod tailscale;
