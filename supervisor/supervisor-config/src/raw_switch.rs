//! The keys of `[spark.switch]`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::raw::RawSecret;

/// How the model box is switched to another model: over SSH, to a forced command, after a person allowed it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["address", "host_key", "key", "models"]))]
pub(crate) struct RawSwitch {
    /// User, host and port of the box's SSH server.
    #[schemars(example = &"spark-switch@spark.example.ts.net:2222", extend("x-default" = "required", "x-change" = "pushed live"))]
    pub address: Option<String>,
    /// The only key that the box may show: the line of `ssh-keyscan -t ed25519`, without the host.
    #[schemars(
        example = &"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0QW2nXlK2uLo6T7vdOmFW0V4JkYBbl2j4tU3aVb9Xh",
        extend("x-default" = "required", "x-change" = "pushed live")
    )]
    pub host_key: Option<String>,
    /// OpenSSH private key (ed25519, without a passphrase), which only spark gets.
    #[schemars(example = json!({"secret": "spark-ssh"}), extend("x-default" = "required", "x-change" = "pushed live"))]
    pub key: Option<RawSecret>,
    /// What the box may be switched to, byte for byte as it lists them.
    #[schemars(example = json!(["openai/gpt-oss-120b"]), extend("x-default" = "required", "x-change" = "pushed live"))]
    pub models: Option<Vec<String>>,
    /// Profiles whose bots may ask for a switch; their devices with the scope `approve` allow it.
    #[schemars(example = json!(["ops"]), extend("default" = [], "x-change" = "pushed live"))]
    pub profiles: Option<Vec<String>>,
    /// How long answers that run may go on, in seconds, before the switch is given up.
    #[schemars(range(min = 5, max = 900), example = 120, extend("default" = 120, "x-change" = "pushed live"))]
    pub drain_seconds: Option<u32>,
    /// How long the box may take from the command to the first answer, in seconds.
    #[schemars(range(min = 10, max = 900), example = 900, extend("default" = 900, "x-change" = "pushed live"))]
    pub wait_seconds: Option<u32>,
}
