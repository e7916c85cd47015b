//! Where spark runs: directories and time limits. Tests bring their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use platform_types::ProfileName;
use platform_types::layout::inside;
use platform_types::spark::SparkLimits;

/// The directories that are mounted into spark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The volume.
    pub state: PathBuf,
    /// One directory a profile, each to hold `llm.sock`.
    pub sockets: PathBuf,
    /// Holds `spark.sock`.
    pub admin: PathBuf,
    /// One secret a file.
    pub secrets: PathBuf,
}

impl Place {
    /// As in the container.
    pub fn container() -> Self {
        Self {
            state: inside::STATE.into(),
            sockets: inside::SPARK.into(),
            admin: inside::ADMIN.into(),
            secrets: inside::SECRETS.into(),
        }
    }

    /// Everything under one directory.
    pub fn under(root: &Path) -> Self {
        Self {
            state: root.join("state"),
            sockets: root.join("spark"),
            admin: root.join("admin"),
            secrets: root.join("secrets"),
        }
    }

    pub fn admin_socket(&self) -> PathBuf {
        self.admin.join("spark.sock")
    }

    pub fn llm_socket(&self, profile: &ProfileName) -> PathBuf {
        self.sockets.join(profile.as_str()).join("llm.sock")
    }

    /// Certificates to trust beside the compiled-in roots, PEM; the file may be missing.
    pub fn extra_roots(&self) -> PathBuf {
        self.secrets.join("spark-ca")
    }

    /// The mounts that a canary proves.
    pub fn mounts(&self) -> [&Path; 4] {
        [&self.state, &self.sockets, &self.admin, &self.secrets]
    }
}

/// How long things may take that nobody configures. Sizes are constants beside the code that keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The whole of `GET /v1/models`.
    pub list: Duration,
    /// For whoever only wants to know how the box is: supervisor and agents wait 3 s for spark.
    pub look: Duration,
    /// Between two questions to a box that is well, and to one that is not.
    pub watch: Watch,
    /// A request with progress that is at the box: until then it is hoped for an answer with a status of its own.
    pub grace: Duration,
    /// Between two comments of progress while nothing changes.
    pub progress: Duration,
    /// How long a list of models counts as fresh.
    pub list_age: Duration,
    /// An agent's request body.
    pub body: Duration,
    /// An agent that takes nothing of its answers, in all of a connection.
    pub stall: Duration,
    /// Requests that run when spark is told to stop.
    pub drain: Duration,
    /// How long a second of the configured limits is, but for connections; tests have short ones.
    pub second: Duration,
}

/// What is configured, as times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// One attempt to make a connection, with name lookup and TLS.
    pub connect: Duration,
    /// From the request at the box to the first byte of its answer: a prompt of 100,000 tokens takes minutes to read.
    pub first_byte: Duration,
    /// Silence in the middle of an answer.
    pub idle: Duration,
    /// From the arrival of a request to the last byte of its answer.
    pub total: Duration,
}

/// How often the box is asked when nobody chats: one small GET, which loads no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    pub well: Duration,
    pub unwell: Duration,
    /// While there is no connection, and requests are refused at once.
    pub open: Duration,
}

impl Limits {
    pub fn times(&self, limits: &SparkLimits) -> Times {
        let SparkLimits { connect_seconds, first_byte_seconds, idle_seconds, total_seconds, .. } = *limits;
        let [first_byte, idle, total] =
            [first_byte_seconds, idle_seconds, total_seconds].map(|seconds| self.second * seconds);
        Times { connect: Duration::from_secs(connect_seconds.into()), first_byte, idle, total }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            list: Duration::from_secs(10),
            look: Duration::from_millis(2_500),
            watch: Watch {
                well: Duration::from_mins(1),
                unwell: Duration::from_secs(30),
                open: Duration::from_secs(2),
            },
            grace: Duration::from_secs(1),
            progress: Duration::from_secs(1),
            list_age: Duration::from_secs(2),
            body: Duration::from_secs(30),
            stall: Duration::from_mins(2),
            drain: Duration::from_secs(10),
            second: Duration::from_secs(1),
        }
    }
}
