//! `POST /phones/{phone}/history`: a past for a phone, before a companion is linked to it.

use super::{Body, Control, Failure, body};
use crate::error::SimnetError;
use crate::phone::history::Past;
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};

impl Control {
    /// Gives a phone a past, which companions linked from now on are told of.
    pub async fn add_past(&self, phone: &str, past: Past) -> Result<(), SimnetError> {
        self.net.require(phone)?.primary.pasts.add(past)?;
        self.net.touch();
        Ok(())
    }
}

pub(super) fn routes() -> Router<Control> {
    Router::new().route("/phones/{phone}/history", post(add))
}

async fn add(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Result<Json<Past>, Failure> {
    let past: Past = body(bytes)?;
    control.add_past(&phone, past.clone()).await?;
    Ok(Json(past))
}
