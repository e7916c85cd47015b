//! What the environment says, and where everything lies.

use std::path::{Path, PathBuf};

use agent_store::StateDir;
use platform_kit::environment::{Environment, EnvironmentError, optional};
use platform_types::layout::{env, inside};
use platform_types::{Generation, ProfileName};

/// Everything a process is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    pub profile: ProfileName,
    pub generation: Generation,
    pub http_socket: PathBuf,
    pub admin_socket: PathBuf,
    pub paths: Paths,
}

/// Where things lie; tests put them elsewhere.
#[derive(Debug, Clone)]
pub struct Paths {
    pub state: StateDir,
    pub llm_socket: PathBuf,
    pub egress_socket: PathBuf,
    /// `<bot>/<folder>`: what bots may read of the host.
    pub documents: PathBuf,
    /// Mounts whose canaries are reported.
    pub mounts: Vec<PathBuf>,
}

/// Variable with a directory that stands for `/`, to run an agent outside a container. Unset in a container.
pub const ROOT: &str = "BOT_ROOT";

impl Paths {
    /// As the supervisor mounts them, below `root`.
    pub fn below(root: &Path) -> Self {
        let place = |inside: &str| root.join(inside.trim_start_matches('/'));
        Self {
            state: StateDir::new(place(inside::STATE)),
            llm_socket: place(inside::LLM_SOCKET),
            egress_socket: place(inside::EGRESS_SOCKET),
            documents: place(inside::DOCUMENTS),
            mounts: [inside::STATE, inside::HTTP, inside::ADMIN, inside::EGRESS, inside::LLM].map(place).into(),
        }
    }
}

impl Settings {
    pub fn from_environment() -> Result<Self, EnvironmentError> {
        let mut environment = Environment::new();
        let profile = environment.required(env::PROFILE);
        let generation = environment.required(env::GENERATION).map(Generation);
        let http_socket = environment.required(env::HTTP_SOCKET);
        let admin_socket = environment.required(env::ADMIN_SOCKET);
        let (Some(profile), Some(generation), Some(http_socket), Some(admin_socket)) =
            (profile, generation, http_socket, admin_socket)
        else {
            return Err(environment.finish().expect_err("a missing value is a problem that was noted"));
        };
        let root = optional(ROOT).unwrap_or_else(|| "/".to_owned());
        Ok(Self { profile, generation, http_socket, admin_socket, paths: Paths::below(Path::new(&root)) })
    }
}
