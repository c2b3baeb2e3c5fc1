//! The endpoints, a file each. Every one of them reads top to bottom: extract,
//! authorise, one call, answer.

mod actions;
mod bindings;
mod chats;
mod commands;
mod deliveries;
mod events;
mod flows;
mod group;
mod guards;
mod jobs;
pub mod media;
mod messages;
mod misc;
mod optouts;
mod plugins;
mod profile;
mod runs;
mod server;
mod session;
mod stream;
mod targets;
mod webhook;

use crate::auth::authenticate;
use crate::codes;
use crate::error::ApiError;
use crate::idempotency::once;
use crate::state::ApiState;
use crate::throttle::rate_limit;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};

/// Room for the headers of a form around a plugin file.
const FORM_BYTES: usize = 64 << 10;

/// Everything under `/api/v1`. All of it needs a key, also what is not there.
pub fn v1(state: &ApiState) -> Router<ApiState> {
    let plugin_limit = DefaultBodyLimit::max(state.config.plugin_bytes + FORM_BYTES);
    Router::new()
        .route("/server/storage", get(server::storage))
        .route("/server/sinks", get(server::sinks))
        .route("/server/ping", get(server::ping))
        .route("/server/healthz", get(server::healthz))
        .route("/server/ready", get(server::ready))
        .route("/session/create", get(session::create::get).post(session::create::post))
        .route("/session/create/pair-code", get(session::pair_code::get).post(session::pair_code::post))
        .route("/session/devices", get(session::devices::get))
        .route("/session/list", get(session::show::list))
        .route("/session/reconnect", get(session::connection::reconnect).post(session::connection::reconnect))
        .route("/session/logout", get(session::connection::logout).post(session::connection::logout))
        .route("/session/delete", delete(session::connection::delete).post(session::connection::delete))
        .route("/session/{sessionId}", get(session::show::one))
        .route("/session/{sessionId}/config", post(session::config::post))
        .route("/session/{sessionId}/guards", get(guards::one).put(guards::put))
        .route("/optouts", get(optouts::list).post(optouts::add))
        .route("/optouts/{address}", delete(optouts::remove))
        .route("/session/{sessionId}/plugins/{name}", put(bindings::put))
        .route("/session/{sessionId}/targets", get(targets::list).post(targets::create))
        .route(
            "/session/{sessionId}/targets/{targetId}",
            get(targets::one).patch(targets::change).delete(targets::delete),
        )
        .route("/session/{sessionId}/targets/{targetId}/test", post(targets::test))
        .route("/session/{sessionId}/targets/{targetId}/rotate", post(targets::rotate))
        .route("/session/{sessionId}/targets/{targetId}/resume", post(targets::resume))
        .merge(sends(state))
        .route("/chats", get(chats::list))
        .route("/chats/{chatId}/messages", get(chats::messages))
        .route("/session/{sessionId}/commands", get(commands::one).put(commands::put))
        .route("/media/{mediaId}", get(media::one))
        .merge(groups())
        .merge(profile())
        .merge(misc())
        .merge(files(state))
        .route("/webhook/preflight", post(webhook::preflight))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/replay", post(deliveries::replay_range))
        .route("/deliveries/{id}", get(deliveries::one))
        .route("/deliveries/{id}/replay", post(deliveries::replay))
        .route("/flows", get(flows::list).post(flows::create))
        .route("/flows/{id}", get(flows::one).put(flows::put).delete(flows::delete))
        .route("/plugins", get(plugins::list).merge(post(plugins::upload).layer(plugin_limit)))
        .route("/plugins/{name}", delete(plugins::delete))
        .route("/events", get(events::list))
        .route("/events/{id}", get(events::one))
        .route("/stream", get(stream::events))
        .route("/ws", get(stream::ws))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::one))
        .route("/messages/send/bulk/{id}", get(messages::bulk::one).delete(messages::bulk::cancel))
        .route("/jobs", get(jobs::list))
        .route("/jobs/unwedge", post(jobs::unwedge_all))
        .route("/jobs/{id}", get(jobs::one).patch(jobs::reschedule).delete(jobs::cancel))
        .route("/jobs/{id}/unwedge", post(jobs::unwedge))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(state.config.body_bytes))
        .layer(from_fn_with_state(state.clone(), rate_limit))
        .layer(from_fn_with_state(state.clone(), authenticate))
}

/// Every operation that sends: each takes an `Idempotency-Key`.
fn sends(state: &ApiState) -> Router<ApiState> {
    let once = from_fn_with_state(state.clone(), once);
    // Its own limit is set before the body is read for the key.
    let bulk = Router::new()
        .route("/messages/send/bulk", post(messages::bulk::post))
        .layer(once.clone())
        .layer(DefaultBodyLimit::max(state.config.bulk_bytes));
    // Files stream to the disk; what they may have is bounded there.
    let files = Router::new()
        .route("/messages/send/media", post(messages::media::media))
        .route("/messages/send/audio", post(messages::media::audio))
        .route("/messages/send/document", post(messages::media::document))
        .route("/messages/send/sticker", post(messages::media::sticker))
        .route("/messages/send/gif", post(messages::media::gif))
        .route("/messages/send/files", post(messages::media::files))
        .route("/messages/send/button", post(messages::words::button))
        .route("/messages/send/list", post(messages::words::list))
        .layer(once.clone())
        .layer(DefaultBodyLimit::max(state.config.upload_bytes));
    Router::new()
        .route("/session/{sessionId}/actions", post(actions::post))
        .route("/messages/send/text", get(messages::text::get).post(messages::text::post))
        .route("/messages/send/contact", post(messages::words::contact))
        .route("/messages/send/location", post(messages::words::location))
        .route("/messages/send/poll", post(messages::words::poll))
        .route("/messages/send/forward", post(messages::words::forward))
        .route("/messages/send/raw", post(messages::words::raw))
        .route("/messages/{messageId}/action/star", post(messages::manage::star))
        .route("/messages/{messageId}/action/unstar", post(messages::manage::unstar))
        .route("/messages/{messageId}/action/reaction", post(messages::manage::reaction))
        .route("/messages/{messageId}/action/unreaction", post(messages::manage::unreaction))
        .route("/messages/{messageId}/action/delete", delete(messages::manage::delete).post(messages::manage::delete))
        .route("/messages/{messageId}/action/revoke", post(messages::manage::revoke))
        .route("/messages/{messageId}/action/edit", post(messages::manage::edit))
        .route("/messages/{messageId}/action/mark-as-read", post(messages::manage::mark_as_read))
        .route("/messages/action/mute", post(messages::chats::mute))
        .route("/messages/action/unmute", post(messages::chats::unmute))
        .route("/messages/action/archive", post(messages::chats::archive))
        .route("/messages/action/unarchive", post(messages::chats::unarchive))
        .route("/messages/action/clear-all", delete(messages::chats::clear).post(messages::chats::clear))
        .route("/chats/{chatId}/read", post(chats::read))
        .route("/chats/{chatId}/pin", post(chats::pin))
        .route("/chats/{chatId}/messages/{messageId}/pin", post(chats::pin_message))
        .layer(once)
        .merge(bulk)
        .merge(files)
}

/// Groups and communities.
fn groups() -> Router<ApiState> {
    Router::new()
        .route("/groups", get(group::show::list))
        .route("/group/info", get(group::show::info))
        .route("/group/create", post(group::create::post))
        .route("/group/leave", post(group::leave::post))
        .route("/group/delete", delete(group::delete::delete))
        .route("/group/name", post(group::name::post))
        .route("/group/description", post(group::description::post))
        .route("/group/locked", post(group::rules::locked))
        .route("/group/announcement", post(group::rules::announcement))
        .route("/group/member-add-mode", post(group::rules::member_add_mode))
        .route("/group/approval", post(group::rules::approval))
        .route("/group/ephemeral", post(group::rules::ephemeral))
        .route("/group/invite", get(group::invite::get))
        .route("/group/invite/revoke", post(group::invite::revoke))
        .route("/group/join-via-link", get(group::join::get).post(group::join::post))
        .route("/group/participants", get(group::participants::list))
        .route("/group/participants/add", post(group::members::add))
        .route("/group/participants/remove", delete(group::members::remove))
        .route("/group/participants/promote", post(group::members::promote))
        .route("/group/participants/demote", post(group::members::demote))
        .route("/group/participants/requests", get(group::requests::list))
        .route("/group/participants/request/approve", post(group::requests::approve))
        .route("/group/participants/request/reject", post(group::requests::reject))
        .route("/communities", get(group::community::list).post(group::community::create))
        .route(
            "/community/groups",
            get(group::community::groups).post(group::community::link).delete(group::community::unlink),
        )
}

/// What an account shows of itself, and what it knows of others.
fn profile() -> Router<ApiState> {
    Router::new()
        .route("/profile/info", get(profile::info::get))
        .route("/profile/privacy", get(profile::privacy::get).post(profile::privacy::post))
        .route("/profile/list-contacts", get(profile::contacts::list))
        .route("/contacts", post(profile::contacts::save))
        .route("/profile/on-whatsapp", get(profile::on_whatsapp::get))
        .route("/profile/business-profile", get(profile::business::get))
        .route("/profile/about", post(profile::about::about))
        .route("/profile/name", post(profile::about::name))
        .route("/profile/disappearing", post(profile::about::disappearing))
        .route("/profile/blocklist", get(profile::blocklist::list))
        .route("/profile/block", post(profile::blocklist::block))
        .route("/profile/unblock", post(profile::blocklist::unblock))
        .route("/profile/presence/subscribe", post(profile::presence::subscribe))
        .route("/labels", get(profile::labels::list).post(profile::labels::save).delete(profile::labels::delete))
        .route(
            "/labels/chats",
            get(profile::labels::chats).post(profile::labels::put_on).delete(profile::labels::take_off),
        )
        .route("/newsletters", get(profile::newsletters::list))
        .route("/newsletter/info", get(profile::newsletters::info))
        .route("/newsletter/create", post(profile::newsletters::create))
        .route("/newsletter/follow", post(profile::newsletters::follow))
        .route("/newsletter/unfollow", post(profile::newsletters::unfollow))
        .route("/newsletter/posts", get(profile::newsletters::posts))
        .route("/newsletter/react", post(profile::newsletters::react))
        .route("/call/reject", post(profile::calls::reject))
}

/// Small tools.
fn misc() -> Router<ApiState> {
    Router::new()
        .route("/misc/convert-string-toqr/{target}", post(misc::qr::post))
        .route("/misc/whatsapp/poll-update-vote", post(misc::votes::post))
        .route("/misc/whatsapp/validate/phone", post(misc::phone::post))
        .route("/misc/whatsapp/validate/jid", post(misc::jid::validate))
        .route("/misc/whatsapp/resolve/jid-or-lid", post(misc::jid::resolve))
        .route("/misc/uuid/generate", post(misc::uuid::generate))
        .route("/misc/uuid/validate", post(misc::uuid::validate))
}

/// Operations that take a file in a field: it may be as large as files may be,
/// and base64 makes it a third larger.
fn files(state: &ApiState) -> Router<ApiState> {
    let limit = DefaultBodyLimit::max(state.config.file_bytes / 3 * 4 + FORM_BYTES);
    Router::new()
        .route("/misc/whatsapp/file-decrypt", post(misc::decrypt::post))
        .route("/misc/crypto/hash", post(misc::hash::hash))
        .route("/misc/crypto/hmac", post(misc::hash::hmac))
        .route("/misc/base64", post(misc::base64::post))
        .route("/misc/media/thumbnail", post(misc::media::thumbnail))
        .route("/misc/media/image", post(misc::media::image))
        .route("/group/picture", get(group::picture::get).post(group::picture::post).delete(group::picture::delete))
        .route(
            "/profile/picture",
            get(profile::picture::get).post(profile::picture::post).delete(profile::picture::delete),
        )
        .layer(limit)
}

/// There is nothing at this path.
pub async fn unknown_path() -> ApiError {
    ApiError::new(codes::NOT_FOUND, "there is nothing at this path; see the documentation for the operations")
}

/// There is something at this path, but not for this method.
pub async fn wrong_method() -> ApiError {
    ApiError::new(
        codes::METHOD_NOT_ALLOWED,
        "this path does not take this method; the Allow header names those it takes",
    )
}
