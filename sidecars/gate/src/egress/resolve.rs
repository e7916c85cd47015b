//! Names to addresses, without the C library.

use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use hickory_resolver::{ResolverBuilder, TokioResolver};

/// Finds the addresses of a name. Tests have their own.
pub trait Resolve: Debug + Send + Sync + 'static {
    /// The error is the reason, for a log and the agent.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

pub type Resolving<'a> = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, String>> + Send + 'a>>;

/// A resolver that can be handed around.
pub type SharedResolver = Arc<dyn Resolve>;

/// Asks the name servers of `/etc/resolv.conf`.
#[derive(Debug)]
pub struct SystemResolver(Option<TokioResolver>);

impl SystemResolver {
    pub fn new() -> Self {
        let builder = TokioResolver::builder_tokio();
        if let Err(error) = &builder {
            tracing::warn!(%error, "no names can be resolved; addresses have to be pinned");
        }
        Self(builder.ok().map(ResolverBuilder::build))
    }
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let resolver = self.0.as_ref().ok_or("there is no /etc/resolv.conf")?;
            match resolver.lookup_ip(host).await {
                Ok(found) => Ok(found.iter().collect()),
                Err(error) if error.is_no_records_found() => Err("its name has no address".to_owned()),
                Err(_) => Err("its name cannot be resolved".to_owned()),
            }
        })
    }
}
