//! stub
use platform_kit::Failure;
use platform_types::ErrorCode;
pub async fn models() -> Failure {
    Failure::new(ErrorCode::NotFound, "x")
}
pub async fn completions() -> Failure {
    Failure::new(ErrorCode::NotFound, "x")
}
