//! JSON bodies, queries and names out of requests, with errors in the one shape.

use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::request::Parts;
use platform_kit::Failure;
use platform_types::text::neutral;
use platform_types::{ErrorCode, ProfileName};
use serde::de::DeserializeOwned;

use super::peer::{self, Caller};

/// A JSON body. An empty one reads as `{}`.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Failure::new(ErrorCode::TooLarge, "the body is too long").into_response())?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| bad(&format!("the body: {error}")))
    }
}

/// The query string.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(error) => Err(bad(&format!("the query: {}", error.body_text()))),
        }
    }
}

/// The caller's user name, as the kernel and `/etc/passwd` tell it.
#[derive(Debug)]
pub struct User(pub String);

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match ConnectInfo::<Caller>::from_request_parts(parts, state).await {
            Ok(ConnectInfo(caller)) => Ok(Self(peer::user_name(caller))),
            Err(error) => Err(error.into_response()),
        }
    }
}

/// Who asks, as records name them: `operator <user>`.
#[derive(Debug)]
pub struct By(pub String);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        User::from_request_parts(parts, state).await.map(|User(user)| Self(format!("operator {user}")))
    }
}

/// A profile's name out of the path.
pub fn profile(text: &str) -> Result<ProfileName, Failure> {
    ProfileName::new(text)
        .map_err(|error| Failure::new(ErrorCode::BadRequest, neutral(&error.to_string())).with_param("profile"))
}

fn bad(message: &str) -> Response {
    Failure::new(ErrorCode::BadRequest, neutral(message)).into_response()
}
