//! Sockets of the page.
//!
//! | module | what |
//! |---|---|
//! | [`upgrade`] | from an HTTP request to a socket |
//! | [`places`] | how many sockets there may be, and how much may wait for them |
//! | [`probation`] | little may be said before authentication |
//! | [`session`] | one socket from challenge to close |
//! | [`enter`] | authentication and the way to the agent |
//! | [`pipe`] | both directions, once they are connected |
//! | [`ending`] | why a socket closes, and with which code |

pub mod ending;
pub mod enter;
pub mod pipe;
pub mod places;
pub mod probation;
pub mod session;
pub mod upgrade;

use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Read and write at once; tungstenite's own default is 128 KiB a socket.
const BUFFER_BYTES: usize = 8 * 1024;

/// Bounds of one WebSocket whose messages may have `max_message` bytes.
fn config(max_message: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}
