//! Who tailscale says is there: believed on its socket only, never enough.

use platform_types::gate::GateConfig;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::pairing::Events;
use crate::support::rig::TOKEN;
use crate::support::{Rig, TestDevice, within};

const HOST: &str = "vm102.example.ts.net";
const ALICE: (&str, &str) = ("tailscale-user-login", "alice@example.com");

impl Rig {
    /// A request as `tailscale serve` forwards it to its socket; the status, and the whole answer.
    async fn served(&self, (method, target): (&str, &str), fields: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut stream = UnixStream::connect(self.directory.path().join("tailnet/gate.sock")).await.unwrap();
        let host = fields.iter().find(|(name, _)| *name == "host").map_or(HOST, |(_, host)| host);
        let more: String = fields
            .iter()
            .filter(|(name, _)| *name != "host")
            .map(|(name, value)| [*name, ": ", value, "\r\n"].concat())
            .collect();
        let posted = match method {
            "POST" => format!("origin: https://{HOST}\r\ncontent-length: {}\r\n", body.len()),
            _ => String::new(),
        };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {host}\r\nx-forwarded-for: 100.64.0.9\r\nx-forwarded-host: {HOST}\r\n\
             x-forwarded-proto: https\r\nconnection: close\r\n{more}{posted}"
        );
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        let mut text = String::new();
        within(stream.read_to_string(&mut text)).await.unwrap();
        (text[9..12].parse().unwrap(), text)
    }

    async fn served_page(&self, fields: &[(&str, &str)]) -> u16 {
        self.served(("GET", "/"), fields, "").await.0
    }

    async fn page_by_port(&self, fields: &[(&str, &str)]) -> u16 {
        self.ask("GET", "/", fields, "").await.status
    }
}

fn alice_only(config: &mut GateConfig) {
    config.tailscale_users = vec!["alice@example.com".to_owned()];
}

#[tokio::test]
async fn without_named_users_a_login_is_a_hint() {
    let rig = Rig::start().await;
    assert_eq!(rig.served_page(&[]).await, 200);
    assert_eq!(rig.page_by_port(&[("host", HOST), ALICE]).await, 200, "the port ignores what it is told");
    let local = rig.ask("POST", "/pair/nonce", &[("origin", &rig.origin()), ALICE], "{}").await;
    assert_eq!(local.json().get("login"), None);

    let (status, text) = rig.served(("POST", "/pair/nonce"), &[ALICE], "{}").await;
    assert_eq!(status, 200, "{text}");
    let challenge: serde_json::Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(challenge["login"], "alice@example.com");
    let device = TestDevice::new(1);
    let mut events = Events::listen(&rig).await;
    let (status, text) = rig.served(("POST", "/pair"), &[ALICE], &device.pairing(&challenge, None).to_string()).await;
    assert_eq!(status, 202, "a login lets nobody in: {text}");
    assert_eq!(events.attempt().await.login.as_deref(), Some("alice@example.com"));
}

#[tokio::test]
async fn the_socket_answers_the_address_only_and_nobody_from_the_internet() {
    let rig = Rig::start().await;
    let local = rig.host();
    for host in [local.as_str(), "localhost", "evil.example"] {
        assert_eq!(rig.served_page(&[("host", host), ALICE]).await, 403, "{host}");
    }
    assert_eq!(rig.served_page(&[("tailscale-funnel-request", "?1")]).await, 403);
    assert_eq!(rig.served_page(&[ALICE, ("tailscale-user-login", "bob@example.com")]).await, 400);
    rig.push(|config| config.address = None).await;
    assert_eq!(rig.served_page(&[ALICE]).await, 403);
}

#[tokio::test]
async fn named_users_are_required_over_the_tailnet() {
    let rig = Rig::start().await;
    rig.push(alice_only).await;
    rig.token().await;
    assert_eq!(rig.served_page(&[ALICE]).await, 200);
    assert_eq!(rig.served_page(&[("tailscale-user-login", "Alice@Example.com")]).await, 200);
    for login in ["bob@example.com", "alice@example.com, bob@example.com", "alice@example.com.evil.example", ""] {
        assert_eq!(rig.served_page(&[("tailscale-user-login", login)]).await, 403, "{login:?}");
    }
    assert_eq!(rig.served_page(&[]).await, 403, "a tagged machine is nobody");
    let (status, _) = rig.served(("POST", "/pair/nonce"), &[], "{}").await;
    assert_eq!(status, 403);
    // A script has a token of its own; a wrong one is wrong here too.
    let check = async |token: &str| {
        let bearer = format!("Bearer {token}");
        rig.served(("GET", "/v1/nothing"), &[("authorization", &bearer)], "").await.0
    };
    assert_eq!(check(TOKEN).await, 404);
    assert_eq!(rig.served(("GET", "/v1/models"), &[("authorization", "Bearer bot_x")], "").await.0, 401);
}

#[tokio::test]
async fn with_named_users_the_port_takes_nothing_from_the_tailnet() {
    let rig = Rig::start().await;
    rig.push(alice_only).await;
    assert_eq!(rig.page_by_port(&[]).await, 200, "on the machine itself a device's key is enough");
    assert_eq!(rig.page_by_port(&[("host", HOST)]).await, 403);
    assert_eq!(rig.page_by_port(&[("host", HOST), ALICE]).await, 403, "anybody on the host can write that");
    // Serve passes on the client's Host, and says that it did.
    for field in [("x-forwarded-for", "100.64.0.9"), ("x-forwarded-host", HOST), ALICE] {
        assert_eq!(rig.page_by_port(&[field]).await, 403, "{field:?}");
    }
    let refused = rig.dial_with(&[("host", HOST), ("origin", "https://vm102.example.ts.net"), ALICE]).await;
    assert_eq!(refused.err(), Some(403));
}

#[tokio::test]
async fn a_socket_ends_when_its_way_is_closed() {
    let rig = Rig::start().await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![device.paired()]).await;
    let _agent = crate::support::Agent::echo(&rig.agent_socket(1));
    let fields = [("host", HOST), ("origin", "https://vm102.example.ts.net")];
    let mut socket = rig.dial_with(&fields).await.unwrap();
    let challenge = socket.hear().await;
    socket.say(&device.auth(&challenge)).await;
    assert_eq!(socket.hear().await["type"], json!("ready"));
    let (mut local, _) = rig.connect(&device).await;
    rig.push(alice_only).await;
    assert_eq!(socket.closed().await, 4401);
    local.say(&json!({"type": "ping", "n": 1})).await;
    assert_eq!(local.hear().await["n"], 1, "a socket of the machine itself stays");
}
