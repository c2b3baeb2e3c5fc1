//! The router with what surrounds every endpoint: request ids, traces (paths
//! only, never queries), panics, the version header, CORS.

use crate::codes;
use crate::error::ApiError;
use crate::routes;
use crate::state::ApiState;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::any::Any;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

const VERSION: HeaderName = HeaderName::from_static("x-warest-version");

/// The whole REST API.
pub fn router(state: ApiState) -> Router {
    let surroundings = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(cors(&state.config.allowed_origins))
        .layer(middleware::from_fn_with_state(state.clone(), add_version))
        .layer(CatchPanicLayer::custom(panicked));
    Router::new()
        .route("/", get(home))
        .route("/storage/private/{mediaId}", get(routes::media::signed))
        .nest("/api/v1", routes::v1(&state))
        .fallback(routes::unknown_path)
        .method_not_allowed_fallback(routes::wrong_method)
        .layer(surroundings)
        .with_state(state)
}

async fn home(State(state): State<ApiState>) -> String {
    format!(
        "WAREST {}\n\nThe REST API is under /api/v1; send your key as X-WAREST-API-KEY.\nTry /api/v1/server/ping.\n",
        state.config.version
    )
}

/// The span of a request: its path without the query, which may hold anything.
fn span(request: &Request) -> tracing::Span {
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("");
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
}

async fn add_version(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(version) = HeaderValue::from_str(&state.config.version) {
        response.headers_mut().insert(VERSION, version);
    }
    response
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::list([
            VERSION,
            HeaderName::from_static("x-warest-registry"),
            HeaderName::from_static("x-warest-username"),
            HeaderName::from_static("x-warest-label"),
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("retry-after"),
            HeaderName::from_static("idempotency-replayed"),
            HeaderName::from_static("x-ratelimit-limit"),
            HeaderName::from_static("x-ratelimit-remaining"),
            HeaderName::from_static("x-ratelimit-reset"),
            HeaderName::from_static("x-quota-limit"),
            HeaderName::from_static("x-quota-remaining"),
            HeaderName::from_static("x-quota-reset"),
        ]))
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(what, "an endpoint panicked");
    ApiError::new(codes::INTERNAL_ERROR, "Internal server error").into_response()
}
