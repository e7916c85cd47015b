//! Upstreams behind TLS. The certificates are those of spark's tests: an authority, and a server at 127.0.0.1.

use std::sync::Arc;

use platform_types::audit::Entry;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::Rig;
use crate::support::upstream::{SECRET, answer, home};

const AUTHORITY: &str = include_str!("../../../spark/tests/router/tls/authority.pem");
const SERVER: &[u8] = include_bytes!("../../../spark/tests/router/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../spark/tests/router/tls/server-key.pem");

async fn start() -> u16 {
    let certificate = CertificateDer::from_pem_slice(SERVER).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::from_pem_slice(KEY).unwrap())
        .unwrap();
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
async fn ask(host: &str, trusted: bool) -> (u16, String, Entry) {
    let port = start().await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("secrets")).unwrap();
    if trusted {
        std::fs::write(directory.path().join("secrets/upstream-ca"), AUTHORITY).unwrap();
    }
    let rig = Rig::bare_in(directory, gate::limits::Limits::default()).await;
    rig.secret("home-token", SECRET);
    let mut upstream = home(&format!("https://{host}:{port}"));
    upstream.address = Some("127.0.0.1".parse().unwrap());
    rig.push(|config| config.upstreams = vec![upstream]).await;
    let got = rig.out("GET", "home", "/api/states/light.kitchen", None).await;
    (got.status, String::from_utf8_lossy(&got.body).into_owned(), rig.audit().await.pop().unwrap())
}

#[tokio::test]
async fn a_certificate_is_checked_against_the_roots_and_the_name() {
    let (status, body, last) = ask("127.0.0.1", true).await;
    assert_eq!((status, last.kind.as_str()), (200, "egress.allowed"), "{body}");
    assert!(body.contains("Bearer [secret]") && !body.contains(SECRET), "{body}");
    // The compiled-in roots do not know this authority; the address is right, the name is not.
    for (host, trusted) in [("127.0.0.1", false), ("house.example", true)] {
        let (status, body, last) = ask(host, trusted).await;
        assert_eq!((status, last.kind.as_str()), (502, "egress.failed"), "{host}: {body}");
        assert!(body.contains("upstream_unreachable") && body.contains("certificate"), "{host}: {body}");
    }
}
