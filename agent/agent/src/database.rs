//! The thread that owns the store. Jobs run one after another, in the order they were handed in.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use agent_store::{Store, StoreError};
use tokio::sync::oneshot;

enum Job {
    Run(Box<dyn FnOnce(&mut Store) + Send>),
    Close,
}

/// Hands jobs to the thread. The queue has no bound of its own: the mind hands in at most one job per request that it
/// has admitted, and admin calls are few.
#[derive(Debug, Clone)]
pub struct Database {
    jobs: Sender<Job>,
}

/// The thread itself.
#[derive(Debug)]
pub struct Thread(JoinHandle<Result<(), StoreError>>);

/// The thread has ended.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the database is closed")]
pub struct Closed;

impl Database {
    pub fn start(store: Store) -> std::io::Result<(Self, Thread)> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new().name("database".to_owned()).spawn(move || work(store, &queue))?;
        Ok((Self { jobs }, Thread(thread)))
    }

    /// Hands in a job that reports by itself. A closed database drops it.
    pub fn submit(&self, job: impl FnOnce(&mut Store) + Send + 'static) {
        // After the end there is nobody who waits for a report.
        let _ = self.jobs.send(Job::Run(Box::new(job)));
    }

    /// Hands in a job and waits for its value.
    pub async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Store) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        let (reply, value) = oneshot::channel();
        self.submit(move |store| {
            // The caller may have gone meanwhile.
            let _ = reply.send(job(store));
        });
        value.await.map_err(|_| Closed)
    }
}

impl Thread {
    /// Waits until every job handed in so far is done and the database is closed. Later jobs are dropped.
    pub async fn close(self, database: &Database) -> Result<(), StoreError> {
        // A thread that has ended has closed the database.
        let _ = database.jobs.send(Job::Close);
        match tokio::task::spawn_blocking(move || self.0.join()).await {
            Ok(Ok(closed)) => closed,
            Ok(Err(_)) | Err(_) => Err(StoreError::Conflict("the database thread ended with a panic")),
        }
    }
}

/// The log is copied back once nobody has wanted anything for so long: a person who waits never waits for that.
const QUIET: Duration = Duration::from_millis(200);

fn work(mut store: Store, queue: &Receiver<Job>) -> Result<(), StoreError> {
    loop {
        let job = match queue.recv_timeout(QUIET) {
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = store.tidy() {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be copied back");
                }
                queue.recv().ok()
            }
            found => found.ok(),
        };
        match job {
            Some(Job::Run(job)) => job(&mut store),
            Some(Job::Close) | None => return store.close(),
        }
    }
}
