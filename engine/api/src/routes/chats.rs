//! `/chats`: the chats of a session and what was said in them, from the history,
//! and what is done to one chat.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Flag, Json, Path, Query, parse_required, required};
use crate::idempotency::RequestBirths;
use crate::routes::messages::{address, field, key_of, message_id, session};
use crate::sending::{Batch, own_phone};
use crate::state::ApiState;
use crate::view::{chat_json, message_json};
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use warest_model::clock::Millis;
use warest_model::content::ChatChange;
use warest_model::jid::Jid;
use warest_model::limits::READ_KEYS;
use warest_model::plan::Effect;
use warest_store::{ChatFilter, ChatOrder, MessageFilter, Slice, Start};

/// Most rows of a page.
const ROWS: u32 = 500;
/// Days of messages that may be marked as read at once.
const DAYS: u32 = 366;

/// Which chats.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatsQuery {
    session_id: Option<String>,
    limit: Option<u32>,
    offset: Option<u64>,
    has_media: Option<Flag>,
    archived: Option<Flag>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    search: Option<String>,
}

/// The chats of a session.
pub async fn list(caller: Caller, State(state): State<ApiState>, Query(query): Query<ChatsQuery>) -> ApiResult {
    let id = parse_required("sessionId", query.session_id.as_deref())?;
    let entry = caller.session(&state, &id)?;
    let page = Slice { limit: rows(query.limit, 10)?, offset: query.offset.unwrap_or_default() };
    let order = match query.sort_by.as_deref() {
        None | Some("" | "lastMessage") => ChatOrder::LastMessage,
        Some("unreadCount") => ChatOrder::UnreadCount,
        Some("name") => ChatOrder::Name,
        Some(_) => return Err(ApiError::invalid("`sortBy` is one of lastMessage, unreadCount, name")),
    };
    let ascending = match query.sort_order.as_deref() {
        None | Some("" | "desc") => false,
        Some("asc") => true,
        Some(_) => return Err(ApiError::invalid("`sortOrder` is asc or desc")),
    };
    let filter = ChatFilter {
        search: query.search.filter(|search| !search.is_empty()),
        has_media: query.has_media.unwrap_or_default().0,
        archived: query.archived.map(|archived| archived.0),
        order,
        ascending,
        ..ChatFilter::all(id)
    };
    let (chats, total) = state.engine.store().chats(&filter, &page).await?;
    Ok(Reply::new(codes::SUCCESS, "Chats fetched").result(json!({
        "sessionId": entry.session.id,
        "phone": own_phone(&state, &entry),
        "data": chats.iter().map(chat_json).collect::<Vec<_>>(),
        "pagination": { "limit": page.limit, "offset": page.offset, "total": total },
    })))
}

/// Which messages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagesQuery {
    session_id: Option<String>,
    limit: Option<u32>,
    offset: Option<u64>,
    /// Goes on where a page ended; costs the same however far that is.
    cursor: Option<i64>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    media_only: Option<Flag>,
    is_from_me: Option<Flag>,
    search: Option<String>,
}

/// What was said in a chat, newest first.
pub async fn messages(
    caller: Caller,
    State(state): State<ApiState>,
    Path(chat): Path<String>,
    Query(query): Query<MessagesQuery>,
) -> ApiResult {
    let id = parse_required("sessionId", query.session_id.as_deref())?;
    let entry = caller.session(&state, &id)?;
    let jid = address(&state, "chatId", &chat)?;
    let store = state.engine.store();
    let about = store.chat(&id, &jid).await?.ok_or_else(|| {
        ApiError::new(codes::CHAT_NOT_FOUND, "nothing is known of this chat; see GET /chats for those that are")
    })?;
    let limit = rows(query.limit, 20)?;
    let filter = MessageFilter {
        from_ms: query.start_time.map(millis),
        to_ms: query.end_time.map(millis),
        media_only: query.media_only.unwrap_or_default().0,
        from_me: query.is_from_me.map(|from_me| from_me.0),
        search: query.search.filter(|search| !search.is_empty()),
        ..MessageFilter::chat(id, jid)
    };
    let from = match query.cursor {
        Some(cursor) => Start::Before(cursor),
        None => Start::Offset(query.offset.unwrap_or_default()),
    };
    let found = store.messages(&filter, from, limit).await?;
    let data: Vec<_> = found.list.iter().map(|record| message_json(&state, record)).collect();
    Ok(Reply::new(codes::SUCCESS, "Messages fetched").result(json!({
        "sessionId": entry.session.id,
        "phone": own_phone(&state, &entry),
        "data": data,
        "pagination": {
            "limit": limit,
            "offset": query.offset.unwrap_or_default(),
            "total": found.total.count,
            "totalIsExact": found.total.exact,
            // Past what a number of JavaScript can hold.
            "nextCursor": found.next.map(|seq| seq.to_string()),
        },
        "chatInfo": chat_json(&about),
    })))
}

/// What of a chat is marked as read.
pub async fn read(
    caller: Caller,
    State(state): State<ApiState>,
    RequestBirths(births): RequestBirths,
    Path(chat): Path<String>,
    Json(fields): Json<Map<String, Value>>,
) -> ApiResult {
    let entry = session(&caller, &state, &fields)?;
    let jid = address(&state, "chatId", &chat)?;
    let (messages, days): (Option<u32>, Option<u32>) = (field(&fields, "messages")?, field(&fields, "days")?);
    if days.is_some_and(|days| !(1..=DAYS).contains(&days)) {
        return Err(ApiError::invalid(format!("`days` takes 1 to {DAYS}")));
    }
    let cap = READ_KEYS as u32;
    let wanted = messages.unwrap_or(cap);
    let since_ms = days.map(|days| state.now_ms() - Millis::from(days) * 24 * 3_600_000);
    let unread = state.engine.store().unread(&entry.session.id, &jid, since_ms, wanted.clamp(1, cap)).await?;
    let mut marked = Vec::with_capacity(unread.len());
    let mut keys = Vec::with_capacity(unread.len());
    for (key, ts_ms) in unread {
        marked.push(json!({ "id": key.id, "fromMe": key.from_me, "timestamp": ts_ms / 1_000 }));
        keys.push(key);
    }
    let mut batch = Batch::new(&entry, &births, None).of(codes::CHAT_MARK_READ_FAILED);
    if !keys.is_empty() {
        batch.queue(&state, chat.clone(), jid.clone(), Effect::Read { keys }).await?;
    } else {
        let change = ChatChange::Read(true);
        batch.queue(&state, chat.clone(), jid.clone(), Effect::Chat { chat: jid.clone(), change }).await?;
    }
    let mode = match (messages, days) {
        (Some(_), _) => "messages",
        (None, Some(_)) => "days",
        (None, None) => "all",
    };
    let result = json!({
        "sessionId": entry.session.id,
        "phone": own_phone(&state, &entry),
        "chatId": jid,
        "totalMarked": marked.len(),
        "mode": mode,
        "partial": { "capped": marked.len() as u32 == cap, "cap": cap },
        "parameters": { "messages": messages, "days": days },
        "marked": marked,
    });
    Ok(batch.settle(&state, "Chat marked as read", "read").await.result_only(result))
}

/// Puts a chat on top of the list, or back.
pub async fn pin(
    caller: Caller,
    State(state): State<ApiState>,
    RequestBirths(births): RequestBirths,
    Path(chat): Path<String>,
    Json(fields): Json<Map<String, Value>>,
) -> ApiResult {
    let entry = session(&caller, &state, &fields)?;
    let jid = address(&state, "chatId", &chat)?;
    let on = required("pin", field::<Flag>(&fields, "pin")?)?.0;
    let mut batch = Batch::new(&entry, &births, None).of(codes::MESSAGE_PIN_NOT_ALLOWED);
    let effect = Effect::Chat { chat: jid.clone(), change: ChatChange::Pin(on) };
    batch.queue(&state, chat, jid.clone(), effect).await?;
    let message = if on { "Chat pinned" } else { "Chat unpinned" };
    let result = pinned(&state, &entry, &jid, on, message, None);
    Ok(batch.settle(&state, message, "pin").await.result_only(result))
}

/// Keeps a message on top of its chat, for everybody in it, or no longer.
pub async fn pin_message(
    caller: Caller,
    State(state): State<ApiState>,
    RequestBirths(births): RequestBirths,
    Path((chat, message)): Path<(String, String)>,
    Json(fields): Json<Map<String, Value>>,
) -> ApiResult {
    let entry = session(&caller, &state, &fields)?;
    let jid = address(&state, "chatId", &chat)?;
    let id = message_id("messageId", message)?;
    let on = required("pin", field::<Flag>(&fields, "pin")?)?.0;
    let seconds = field::<u32>(&fields, "seconds")?.unwrap_or(warest_model::action::PIN_SECONDS);
    let key = key_of(&state, &entry, &jid, &id).await?;
    let mut batch = Batch::new(&entry, &births, None).of(codes::MESSAGE_PIN_NOT_ALLOWED).about(&id);
    let effect = Effect::Pin { key, seconds: on.then_some(seconds) };
    batch.queue(&state, chat, jid.clone(), effect).await?;
    let message = if on { "Message pinned" } else { "Message unpinned" };
    let result = pinned(&state, &entry, &jid, on, message, Some(&id));
    Ok(batch.settle(&state, message, "pin").await.result_only(result))
}

fn pinned(
    state: &ApiState,
    entry: &warest_pipeline::directory::SessionEntry,
    chat: &Jid,
    on: bool,
    message: &str,
    id: Option<&str>,
) -> Value {
    json!({
        "sessionId": entry.session.id,
        "phone": own_phone(state, entry),
        "chatId": chat,
        "pinned": on,
        "message": message,
        "updatedAt": state.now_ms(),
        "messageId": id,
    })
}

fn rows(limit: Option<u32>, usual: u32) -> Result<u32, ApiError> {
    match limit.unwrap_or(usual) {
        limit @ 1..=ROWS => Ok(limit),
        _ => Err(ApiError::invalid(format!("`limit` takes 1 to {ROWS}"))),
    }
}

/// Clients give seconds or milliseconds; what is too small for one is the other.
fn millis(time: i64) -> Millis {
    if time < 100_000_000_000 { time.saturating_mul(1_000) } else { time }
}
