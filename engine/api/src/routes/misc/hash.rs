//! `POST /misc/crypto/hash` and `/misc/crypto/hmac`: digests of a file or a text.
//!
//! What could be base64 is taken for base64, as clients of the contract rely on:
//! `encoding: utf8` says that a text is meant.

use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Input, Word, required};
use crate::files::{base64_prefix, data_url, file, is_url, strip_prefix};
use crate::state::ApiState;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use serde::Deserialize;
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// Longest key of an HMAC, in bytes.
const KEY_BYTES: usize = 64 << 10;

/// What to digest, and how.
#[derive(Debug, Deserialize)]
pub struct Ask {
    algo: Option<String>,
    key: Option<String>,
    input: Option<String>,
    encoding: Option<Word<Encoding>>,
    output: Option<Word<Output>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Utf8,
    Base64,
    Hex,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Output {
    #[default]
    Hex,
    Base64,
    Base64url,
}

/// The digest of a file or a text.
pub async fn hash(State(state): State<ApiState>, ask: Input<Ask>) -> ApiResult {
    let ask = ask.fields;
    let text = required("input", ask.input.filter(|input| !input.is_empty()))?;
    let algorithm = Algorithm::of(ask.algo.as_deref(), "Unsupported hash algorithm")?;
    let bytes = bytes(&state, &text, ask.encoding).await?;
    let digest = blocking(move || algorithm.hash(&bytes)).await?;
    Ok(Reply::new(codes::SUCCESS, "Hash generated").results(vec![json!({ "data": ask.output.shown(&digest) })]))
}

/// The same with a key.
pub async fn hmac(State(state): State<ApiState>, ask: Input<Ask>) -> ApiResult {
    let ask = ask.fields;
    let given = ask.input.filter(|input| !input.is_empty()).zip(ask.key.filter(|key| !key.is_empty()));
    let missing = || ApiError::new(codes::MISSING_PARAMETER, "input and key are required");
    let (text, key) = given.ok_or_else(missing)?;
    if key.len() > KEY_BYTES {
        return Err(ApiError::invalid(format!("`key` may have at most {KEY_BYTES} bytes")));
    }
    let algorithm = Algorithm::of(ask.algo.as_deref(), "Unsupported HMAC algorithm")?;
    let bytes = bytes(&state, &text, ask.encoding).await?;
    let digest = blocking(move || algorithm.hmac(key.as_bytes(), &bytes)).await?;
    Ok(Reply::new(codes::SUCCESS, "HMAC generated").results(vec![json!({ "data": ask.output.shown(&digest) })]))
}

async fn bytes(state: &ApiState, text: &str, encoding: Option<Word<Encoding>>) -> Result<Bytes, ApiError> {
    let wrong = |what: &str| ApiError::invalid(format!("`input` is not {what}"));
    match encoding.map(|encoding| encoding.0) {
        Some(Encoding::Utf8) => Ok(text.to_owned().into()),
        Some(Encoding::Hex) => hex::decode(text.trim()).map(Bytes::from).map_err(|_| wrong("hexadecimal")),
        Some(Encoding::Base64) => crate::files::base64(text).map(Bytes::from).ok_or_else(|| wrong("base64")),
        None if is_url(text) => Ok(file(state, "input", text).await?.bytes),
        None => match strip_prefix(text, "data:") {
            Some(rest) => Ok(data_url("input", rest)?.bytes),
            None => Ok(base64_prefix(text).map_or_else(|| text.to_owned().into(), Bytes::from)),
        },
    }
}

/// Digesting a large file takes a while.
async fn blocking(work: impl FnOnce() -> Vec<u8> + Send + 'static) -> Result<Vec<u8>, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| ApiError::new(codes::INTERNAL_ERROR, "Internal server error"))
}

trait Show {
    fn shown(self, digest: &[u8]) -> String;
}

impl Show for Option<Word<Output>> {
    fn shown(self, digest: &[u8]) -> String {
        match self.unwrap_or_default().0 {
            Output::Hex => hex::encode(digest),
            Output::Base64 => STANDARD.encode(digest),
            Output::Base64url => URL_SAFE_NO_PAD.encode(digest),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    fn of(name: Option<&str>, refusal: &str) -> Result<Self, ApiError> {
        Ok(match name.unwrap_or("sha256").to_ascii_lowercase().replace('-', "").as_str() {
            "md5" => Self::Md5,
            "sha1" => Self::Sha1,
            "sha224" => Self::Sha224,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => {
                return Err(ApiError::invalid(format!(
                    "{refusal}; `algo` is md5, sha1, sha224, sha256, sha384 or sha512"
                )));
            }
        })
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(bytes).to_vec(),
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha224 => Sha224::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => keyed::<Hmac<Md5>>(key, bytes),
            Self::Sha1 => keyed::<Hmac<Sha1>>(key, bytes),
            Self::Sha224 => keyed::<Hmac<Sha224>>(key, bytes),
            Self::Sha256 => keyed::<Hmac<Sha256>>(key, bytes),
            Self::Sha384 => keyed::<Hmac<Sha384>>(key, bytes),
            Self::Sha512 => keyed::<Hmac<Sha512>>(key, bytes),
        }
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}
