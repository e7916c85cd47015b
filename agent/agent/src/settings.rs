//! What the environment says, and where everything lies.

use std::path::PathBuf;

use agent_store::StateDir;
use platform_kit::environment::{Environment, EnvironmentError};
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
    /// Mounts whose canaries are reported.
    pub mounts: Vec<PathBuf>,
}

impl Paths {
    /// As the supervisor mounts them.
    pub fn in_container() -> Self {
        Self {
            state: StateDir::new(inside::STATE),
            llm_socket: inside::LLM_SOCKET.into(),
            mounts: [inside::STATE, inside::HTTP, inside::ADMIN, inside::EGRESS, inside::LLM].map(Into::into).into(),
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
        Ok(Self { profile, generation, http_socket, admin_socket, paths: Paths::in_container() })
    }
}
