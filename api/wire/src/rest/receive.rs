//! The body of a request: taken whole, within its size and its time, before a handler looks at it.

use std::error::Error as _;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::LengthLimitError;
use rialto_types::error::{Code, Problem};
use rialto_types::limits::{REST_BODY_BYTES_MAX, REST_BODY_TIMEOUT};
use tokio::time::timeout;

use super::answer::Refused;

/// Lets a request through with its whole body, or says what is wrong with it.
pub(super) async fn whole_body(request: Request, next: Next) -> Response {
    let version = request.version();
    let (parts, body) = request.into_parts();
    let received = timeout(REST_BODY_TIMEOUT, to_bytes(body, REST_BODY_BYTES_MAX)).await;
    let problem = match received {
        Ok(Ok(bytes)) => return next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(error)) if error.source().is_some_and(|source| source.is::<LengthLimitError>()) => {
            let detail = format!("the body has more than {REST_BODY_BYTES_MAX} bytes");
            Problem::new(Code::BodyTooLarge, detail)
        }
        Ok(Err(error)) => {
            Problem::new(Code::Unparsable, format!("the body cannot be read: {error}"))
        }
        Err(_) => {
            let seconds = REST_BODY_TIMEOUT.as_secs();
            Problem::new(Code::BodyTooSlow, format!("the body was not whole after {seconds} s"))
        }
    };
    let mut response = Refused(problem).into_response();
    // What is left of the body is not waited for. HTTP/2 gives up the stream alone.
    if version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
