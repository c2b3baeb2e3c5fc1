//! `POST /misc/uuid/generate` and `/misc/uuid/validate`: UUIDs and ULIDs.

use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Input, Whole, Word, required};
use crate::state::ApiState;
use axum::extract::State;
use md5::Md5;
use serde::Deserialize;
use serde_json::json;
use sha1::Sha1;
use sha2::Digest;
use ulid::Ulid;
use uuid::{Builder, Uuid};

/// Most identifiers of one request.
const COUNT: u64 = 1_000;
/// Longest name and longest format, in bytes.
const NAME_BYTES: usize = 4 << 10;
/// Between the Gregorian calendar's first day and 1970, in steps of 100 ns.
const GREGORIAN: u64 = 0x01B2_1DD2_1381_4000;

/// Which identifiers.
#[derive(Debug, Deserialize)]
pub struct Ask {
    #[serde(rename = "type")]
    kind: Option<Word<Kind>>,
    version: Option<Word<Version>>,
    namespace: Option<String>,
    name: Option<String>,
    format: Option<String>,
    count: Option<Whole>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Uuid,
    Ulid,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Version {
    V1,
    V3,
    #[default]
    V4,
    V5,
    Nil,
}

/// Makes them.
pub async fn generate(State(state): State<ApiState>, ask: Input<Ask>) -> ApiResult {
    let ask = ask.fields;
    let count = ask.count.map_or(1, |count| count.0);
    if !(1..=COUNT).contains(&count) {
        return Err(ApiError::invalid(format!("`count` takes 1 to {COUNT}")));
    }
    let named = match ask.version.unwrap_or_default().0 {
        Version::V3 | Version::V5 if ask.kind.unwrap_or_default().0 == Kind::Uuid => Some(named(&ask)?),
        _ => None,
    };
    let made = (0..count).map(|number| {
        let id = match (ask.kind.unwrap_or_default().0, ask.version.unwrap_or_default().0) {
            (Kind::Ulid, _) => new_ulid(&state).to_string(),
            (Kind::Uuid, Version::V1) => by_time(&state, number).to_string(),
            (Kind::Uuid, Version::V4) => Builder::from_random_bytes(rand::random()).into_uuid().to_string(),
            (Kind::Uuid, Version::Nil) => Uuid::nil().to_string(),
            (Kind::Uuid, Version::V3 | Version::V5) => named.unwrap_or_default().to_string(),
        };
        match ask.format.as_deref().filter(|format| !format.is_empty()) {
            Some(format) => shaped(&id, format),
            None => Ok(id),
        }
    });
    let made: Vec<String> = made.collect::<Result<_, _>>()?;
    Ok(Reply::new(codes::SUCCESS, "Identifiers generated").results(vec![json!({ "data": made })]))
}

fn new_ulid(state: &ApiState) -> Ulid {
    Ulid::from_parts(u64::try_from(state.now_ms()).unwrap_or_default(), rand::random())
}

/// Of one moment, by a node that is nobody's.
fn by_time(state: &ApiState, number: u64) -> Uuid {
    let ticks = u64::try_from(state.now_ms()).unwrap_or_default() * 10_000 + GREGORIAN + number;
    let mut node: [u8; 6] = rand::random();
    // No network card has this bit.
    node[0] |= 1;
    Builder::from_gregorian_timestamp(ticks, rand::random(), &node).into_uuid()
}

/// By a name within a namespace: a UUID, or `dns`, `url`, `oid`, `x500`.
fn named(ask: &Ask) -> Result<Uuid, ApiError> {
    let is_v3 = ask.version == Some(Word(Version::V3));
    let version = if is_v3 { "v3" } else { "v5" };
    let given = ask.namespace.as_deref().zip(ask.name.as_deref()).filter(|(space, _)| !space.is_empty());
    let (space, name) = given.ok_or_else(|| ApiError::invalid(format!("namespace and name required for {version}")))?;
    if name.len() > NAME_BYTES {
        return Err(ApiError::invalid(format!("`name` may have at most {NAME_BYTES} bytes")));
    }
    let space = match space.to_ascii_lowercase().as_str() {
        "dns" => Uuid::NAMESPACE_DNS,
        "url" => Uuid::NAMESPACE_URL,
        "oid" => Uuid::NAMESPACE_OID,
        "x500" => Uuid::NAMESPACE_X500,
        other => Uuid::try_parse(other).map_err(|_| ApiError::invalid("Invalid UUID: `namespace` is not one"))?,
    };
    let mut bytes = [0; 16];
    if is_v3 {
        bytes.copy_from_slice(&Md5::new().chain_update(space).chain_update(name).finalize());
        return Ok(Builder::from_md5_bytes(bytes).into_uuid());
    }
    bytes.copy_from_slice(&Sha1::new().chain_update(space).chain_update(name).finalize()[..16]);
    Ok(Builder::from_sha1_bytes(bytes).into_uuid())
}

/// The letters of an identifier, one for each `x` or `X` of a format.
fn shaped(id: &str, format: &str) -> Result<String, ApiError> {
    let mut letters = id.chars().filter(char::is_ascii_alphanumeric);
    if format.len() > NAME_BYTES {
        return Err(ApiError::invalid(format!("`format` may have at most {NAME_BYTES} bytes")));
    }
    let shape = |c: char| match c {
        'x' | 'X' => letters.next(),
        other => Some(other),
    };
    let shaped: Option<String> = format.chars().map(shape).collect();
    shaped.ok_or_else(|| ApiError::invalid("`format` has more places than the identifier has letters"))
}

/// What to look at.
#[derive(Debug, Deserialize)]
pub struct Look {
    #[serde(rename = "type")]
    kind: Option<Word<Kind>>,
    value: Option<String>,
}

/// Says what it is.
pub async fn validate(look: Input<Look>) -> ApiResult {
    let value = required("value", look.fields.value.filter(|value| !value.is_empty()))?;
    let value = value.trim();
    let uuid = Uuid::try_parse(value).ok();
    let is_ulid = Ulid::from_string(value).is_ok();
    // Without a type, it is what it looks like.
    let looks = if uuid.is_none() && is_ulid { Kind::Ulid } else { Kind::Uuid };
    let (valid, kind, version) = match look.fields.kind.map_or(looks, |kind| kind.0) {
        Kind::Ulid => (is_ulid, "ulid", None),
        Kind::Uuid => (uuid.is_some(), "uuid", uuid.map(version)),
    };
    let shown = json!({ "isValid": valid, "type": kind, "version": version });
    Ok(Reply::new(codes::SUCCESS, "Validation complete").results(vec![json!({ "data": shown })]))
}

fn version(uuid: Uuid) -> String {
    if uuid.is_nil() { "nil".to_owned() } else { format!("v{}", uuid.get_version_num()) }
}
