//! Upstreams behind TLS. The certificates are those of spark's tests: an authority, and a server at 127.0.0.1.

use std::sync::Arc;

use platform_types::UpstreamName;
use platform_types::audit::Entry;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::support::Rig;
use crate::support::upstream::{SECRET, answer, home};

const AUTHORITY: &str = include_str!("../../../spark/tests/router/tls/authority.pem");
/// Signed by the authority, for 127.0.0.1.
const SIGNED: Server = Server {
    certificate: include_bytes!("../../../spark/tests/router/tls/server.pem"),
    key: include_bytes!("../../../spark/tests/router/tls/server-key.pem"),
};
const SELF_SIGNED_PEM: &str = include_str!("tls/self-signed.pem");
/// Says that it is an authority called homeassistant.local.
const SELF_SIGNED: Server =
    Server { certificate: SELF_SIGNED_PEM.as_bytes(), key: include_bytes!("tls/self-signed-key.pem") };

#[derive(Clone, Copy)]
struct Server {
    certificate: &'static [u8],
    key: &'static [u8],
}

async fn start(server: Server) -> u16 {
    let certificate = CertificateDer::from_pem_slice(server.certificate).unwrap();
    // Without a look at whether they belong together: a thief has another key.
    let key = ring::sign::any_supported_type(&PrivateKeyDer::from_pem_slice(server.key).unwrap()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key))));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    platform_kit::task::spawn("https upstream", async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut request).await.unwrap();
            }
            let body = json!({"said": String::from_utf8_lossy(&request)}).to_string();
            stream.write_all(&answer("200 OK", "", &body)).await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    port
}

/// A gate with the house behind TLS under this host, and what its request came to.
async fn ask(server: Server, host: &str, ca: Option<&str>) -> (u16, String, Entry) {
    let port = start(server).await;
    let rig = Rig::start().await;
    rig.secret("home-token", SECRET);
    let mut upstream = home(&format!("https://{host}:{port}"));
    upstream.address = Some("127.0.0.1".parse().unwrap());
    upstream.ca = ca.map(str::to_owned);
    rig.push(|config| config.upstreams = vec![upstream]).await;
    let got = rig.out("GET", "home", "/api/states/light.kitchen", None).await;
    (got.status, String::from_utf8_lossy(&got.body).into_owned(), rig.audit().await.pop().unwrap())
}

async fn passes(server: Server, host: &str, ca: Option<&str>) {
    let (status, body, last) = ask(server, host, ca).await;
    assert_eq!((status, last.kind.as_str()), (200, "egress.allowed"), "{host}: {body}");
    assert!(body.contains("Bearer [secret]") && !body.contains(SECRET), "{body}");
}

async fn fails(server: Server, host: &str, ca: Option<&str>, why: &str) {
    let (status, body, last) = ask(server, host, ca).await;
    assert_eq!((status, last.kind.as_str()), (502, "egress.failed"), "{host}: {body}");
    assert!(body.contains("upstream_unreachable") && body.contains(why), "{host}: {body}");
    assert!(!body.contains(SECRET));
}

#[tokio::test]
async fn a_certificate_is_checked_against_the_upstreams_authority_and_the_name() {
    passes(SIGNED, "127.0.0.1", Some(AUTHORITY)).await;
    passes(SIGNED, "127.0.0.1", Some(&format!("{SELF_SIGNED_PEM}{AUTHORITY}"))).await;
    let own = "neither in its ca nor signed by it";
    fails(SIGNED, "house.example", Some(AUTHORITY), own).await;
    fails(SIGNED, "127.0.0.1", Some(SELF_SIGNED_PEM), own).await;
    // The authorities of the web know nothing of it.
    fails(SIGNED, "127.0.0.1", None, "a server of your own needs its ca").await;
}

#[tokio::test]
async fn a_certificate_that_signed_itself_is_known_by_being_the_very_one() {
    passes(SELF_SIGNED, "127.0.0.1", Some(SELF_SIGNED_PEM)).await;
    passes(SELF_SIGNED, "house.example", Some(SELF_SIGNED_PEM)).await;
    fails(SELF_SIGNED, "127.0.0.1", Some(AUTHORITY), "neither in its ca nor signed by it").await;
    fails(SELF_SIGNED, "127.0.0.1", None, "a server of your own needs its ca").await;
    // The certificate is public: a server that shows it without having its key is not the one.
    let thief = Server { certificate: SELF_SIGNED.certificate, key: SIGNED.key };
    let (status, body, _) = ask(thief, "127.0.0.1", Some(SELF_SIGNED_PEM)).await;
    assert_eq!(status, 502, "{body}");
}

#[tokio::test]
async fn what_one_upstream_trusts_no_other_does_and_a_bad_ca_closes_only_its_own() {
    let (first, second) = (start(SIGNED).await, start(SIGNED).await);
    let rig = Rig::start().await;
    rig.secret("home-token", SECRET);
    let named = |name: &str, port: u16, ca: Option<&str>| {
        let mut upstream = home(&format!("https://127.0.0.1:{port}"));
        upstream.name = UpstreamName::new(name).unwrap();
        upstream.ca = ca.map(str::to_owned);
        upstream
    };
    let damaged = AUTHORITY.replace("MII", "AAA");
    let ways = vec![
        named("home", first, Some(AUTHORITY)),
        named("other", second, None),
        named("broken", first, Some(&damaged)),
        named("empty", first, Some("")),
    ];
    rig.push(|config| config.upstreams = ways).await;
    let mut statuses = Vec::new();
    for name in ["home", "other", "broken", "empty"] {
        let got = rig.out("GET", name, "/api/states/light.kitchen", None).await;
        statuses.push((got.status, String::from_utf8_lossy(&got.body).into_owned()));
    }
    assert_eq!(statuses.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [200, 502, 403, 403], "{statuses:?}");
    assert!(statuses[2].1.contains("its ca holds a certificate that cannot be read"), "{statuses:?}");
    assert!(statuses[3].1.contains("its ca holds no certificate"), "{statuses:?}");
}
