//! HTTPS: roots beside the compiled-in ones come from the file `spark-ca` among the secrets.

use std::sync::Arc;

use platform_types::ModelId;
use platform_types::spark::{Backend, SparkHealth};
use spark::place::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::running::Running;
use crate::scripted::{MODEL, Step, list};

/// Lists [`MODEL`] to whoever trusts the test authority.
async fn start() -> Backend {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server-key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    platform_kit::task::spawn("https box", async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut request).await.unwrap();
            }
            if let Some(Step::Send(answer)) = list().first() {
                stream.write_all(answer).await.unwrap();
            }
            stream.shutdown().await.unwrap();
        }
    });
    Backend::Box { url, model: ModelId::new(MODEL).unwrap(), key: None }
}

#[tokio::test]
async fn a_foreign_authority_is_trusted_only_when_it_was_added() {
    let backend = start().await;
    let running = Running::with(backend.clone(), Limits::default()).await;
    let health: SparkHealth = running.admin().get("/health").await.unwrap();
    assert!(!health.reachable && health.problem.as_deref().unwrap().contains("certificate"), "{health:?}");

    std::fs::write(running.place.extra_roots(), include_bytes!("tls/authority.pem")).unwrap();
    running.push(2, backend.clone(), &["personal"]).await.unwrap();
    let health: SparkHealth = running.admin().get("/health").await.unwrap();
    assert!(health.reachable && health.model_listed, "{health:?}");

    std::fs::write(running.place.extra_roots(), "-----BEGIN CERTIFICATE-----\nnonsense").unwrap();
    let refused = running.push(3, backend.clone(), &["personal"]).await.unwrap_err().to_string();
    assert!(refused.contains("spark-ca") && refused.contains("PEM"), "{refused}");
}
