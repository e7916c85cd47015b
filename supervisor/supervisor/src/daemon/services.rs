//! What the daemon offers to others: the socket for `botctl`, the listeners at the gates, heads of audits, what agents are told of the platform, metrics.

use platform_kit::socket::SocketError;
use platform_kit::task;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::state::Shared;
use crate::words::chain;

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// The services that run.
#[derive(Debug)]
pub struct Services {
    tasks: TaskTracker,
}

/// Binds what others wait for, and starts serving.
pub fn start(shared: &Shared, stop: &CancellationToken) -> Result<Services, ServiceError> {
    let tasks = TaskTracker::new();
    let listener = crate::api::bind(&shared.roots)?;
    let (api, api_stop) = (shared.clone(), stop.clone());
    task::spawn(
        "socket",
        tasks.track_future(async move {
            if let Err(error) = crate::api::serve(listener, api, api_stop).await {
                tracing::error!(error = %chain(&error), "the socket is not served any more");
            }
        }),
    );
    let listen = crate::registry::gates::listen(shared.clone(), stop.clone());
    task::spawn("gate listeners", tasks.track_future(listen));
    let anchors = crate::audit::anchors::keep(shared.clone(), stop.clone());
    task::spawn("audit anchors", tasks.track_future(anchors));
    let views = crate::platform::tell(shared.clone(), stop.clone());
    task::spawn("platform views", tasks.track_future(views));
    let metrics = crate::metrics::serve(shared.clone(), stop.clone());
    task::spawn("metrics", tasks.track_future(metrics));
    tasks.close();
    Ok(Services { tasks })
}

impl Services {
    /// Waits until everything has stopped. Each service bounds its own time.
    pub async fn stopped(self) {
        self.tasks.wait().await;
    }
}
