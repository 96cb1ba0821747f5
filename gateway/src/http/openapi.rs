//! The OpenAPI description of plain HTTP, served as it stands in `openapi.json`.

use axum::{
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::Response,
};

/// Where it is served.
pub(super) const PATH: &str = "/v1/openapi.json";

const TEXT: &str = include_str!("../../openapi.json");

pub(super) fn serve() -> Response {
    let mut response = Response::new(TEXT.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
