//! The span of each HTTP request, also of one that is refused. It ends with the body of the response; that of a GET, whose
//! stream may be open for days, with its head.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use telemetry::list::attribute::{HTTP_METHOD, HTTP_ROUTE, HTTP_STATUS, TRANSPORT};
use telemetry::list::metric::MalformedParents;
use telemetry::list::span::HTTP;
use telemetry::{Parent, Span, Trace};

use crate::server::traced::HttpTrace;

/// Names that callers cannot make up.
const NAMES: [(&str, &str, &str); 5] = [
    ("POST", "/mcp", "POST /mcp"),
    ("GET", "/mcp", "GET /mcp"),
    ("DELETE", "/mcp", "DELETE /mcp"),
    ("GET", "/sse", "GET /sse"),
    ("POST", "/messages", "POST /messages"),
];
const OTHER: &str = "_OTHER";
const HEADER: &str = "traceparent";

pub(crate) async fn request(mut request: Request, next: Next) -> Response {
    if !telemetry::is_on() {
        return next.run(request).await;
    }
    let (method, path) = (request.method().as_str(), request.uri().path());
    let known = NAMES
        .iter()
        .find(|(known, route, _)| *known == method && *route == path);
    let (method, route, name) = known.copied().unwrap_or((OTHER, OTHER, OTHER));
    let mut span = Span::of(&HTTP, name, parent(request.headers()), &[]);
    if span.is_recorded() {
        span.set(HTTP_METHOD, method);
        span.set(HTTP_ROUTE, route);
        span.set(TRANSPORT, "tcp");
    }
    let trace = span.context();
    request.extensions_mut().insert(HttpTrace(trace));
    let streams = request.method() == Method::GET;
    let response = telemetry::traced(trace, next.run(request)).await;
    let status = response.status();
    span.set(HTTP_STATUS, status.as_u16());
    if status.is_server_error() {
        span.fail(status.as_str().to_owned());
    }
    if streams {
        span.end();
        return response;
    }
    response.map(|body| Body::new(Traced { body, span }))
}

fn parent(headers: &HeaderMap) -> Parent {
    let Some(header) = headers.get(HEADER) else {
        return Parent::None;
    };
    match header
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Trace>().ok())
    {
        Some(trace) => Parent::Of(Some(trace)),
        None => {
            MalformedParents {}.add(1);
            Parent::None
        }
    }
}

/// A body that holds the span of its request.
struct Traced {
    body: Body,
    span: Span,
}

impl HttpBody for Traced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(None) = polled {
            std::mem::take(&mut self.span).end();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // A body that is known to be over is not polled to its end. Otherwise the client has left.
        if self.body.is_end_stream() {
            std::mem::take(&mut self.span).end();
        }
    }
}
