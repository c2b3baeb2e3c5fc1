//! `POST /phones`, `GET /phones`, `POST /phones/{phone}/link`, `DELETE /phones/{phone}/devices/{id}`.

use super::{Body, Control, Failure, body};
use crate::account::Account;
use crate::error::SimnetError;
use crate::server::{devices, pair_code, pairing};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// A phone and its account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PhoneInfo {
    /// The number, digits only.
    pub phone: String,
    /// The name shown to others.
    pub name: String,
    /// The account's LID, digits only.
    pub lid: String,
    /// JIDs of the linked companions.
    pub devices: Vec<String>,
    /// Those of them that are connected now.
    pub online: Vec<String>,
}

/// A companion that was linked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Linked {
    /// The companion's JID, such as `4915…:1@s.whatsapp.net`.
    pub device: String,
}

impl Control {
    /// Adds a phone; the same number again only changes the name. Returns whether it is new.
    pub async fn add_phone(&self, phone: &str, name: &str) -> Result<(PhoneInfo, bool), SimnetError> {
        let (account, new) = self.net.add_phone(phone, name)?;
        Ok((info(&account), new))
    }

    /// All phones, by number.
    pub async fn phones(&self) -> Vec<PhoneInfo> {
        self.net.accounts().iter().map(|account| info(account)).collect()
    }

    /// The phone scans a companion's QR code. Returns once the companion is registered.
    pub async fn link_qr(&self, phone: &str, qr: &str) -> Result<Linked, SimnetError> {
        let account = self.net.require(phone)?;
        let device = pairing::scan(&self.net, &account, qr).await?;
        Ok(Linked { device: device.to_string() })
    }

    /// A companion's code is entered at the phone. Returns once the companion is registered.
    pub async fn link_code(&self, phone: &str, code: &str) -> Result<Linked, SimnetError> {
        let account = self.net.require(phone)?;
        let device = pair_code::enter(&self.net, &account, code).await?;
        Ok(Linked { device: device.to_string() })
    }

    /// The phone logs a companion out. Returns whether there was one.
    pub async fn unlink(&self, phone: &str, device: u16) -> Result<bool, SimnetError> {
        let account = self.net.require(phone)?;
        Ok(devices::unlink(&self.net, &account, device))
    }
}

fn info(account: &Account) -> PhoneInfo {
    let companions: Vec<_> = account.devices().into_iter().filter(|d| d.id != 0).collect();
    let jids = |only_online: bool| {
        companions
            .iter()
            .filter(|device| !only_online || device.connection().is_some())
            .map(|device| device.pn_jid().to_string())
            .collect()
    };
    PhoneInfo {
        phone: account.phone.to_string(),
        name: account.name(),
        lid: account.lid.to_string(),
        devices: jids(false),
        online: jids(true),
    }
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/phones", post(add).get(list))
        .route("/phones/{phone}/link", post(link))
        .route("/phones/{phone}/devices/{device}", delete(unlink))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    phone: String,
    #[serde(default)]
    name: Option<String>,
}

async fn add(State(control): State<Control>, bytes: Body) -> Result<(StatusCode, Json<PhoneInfo>), Failure> {
    let Add { phone, name } = body(bytes)?;
    let name = name.unwrap_or_else(|| format!("Phone {phone}"));
    let (info, _) = control.add_phone(&phone, &name).await?;
    Ok((StatusCode::CREATED, Json(info)))
}

async fn list(State(control): State<Control>) -> Json<Vec<PhoneInfo>> {
    Json(control.phones().await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    #[serde(default)]
    qr: Option<String>,
    #[serde(default)]
    code: Option<String>,
}

async fn link(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Result<Json<Linked>, Failure> {
    match body(bytes)? {
        Link { qr: Some(qr), code: None } => Ok(Json(control.link_qr(&phone, &qr).await?)),
        Link { qr: None, code: Some(code) } => Ok(Json(control.link_code(&phone, &code).await?)),
        _ => Err(Failure(SimnetError::Invalid("give either qr or code".into()))),
    }
}

async fn unlink(
    State(control): State<Control>,
    path: Result<Path<(String, u16)>, PathRejection>,
) -> Result<Json<serde_json::Value>, Failure> {
    let Path((phone, device)) = path?;
    let removed = control.unlink(&phone, device).await?;
    Ok(Json(serde_json::json!({ "removed": removed })))
}
