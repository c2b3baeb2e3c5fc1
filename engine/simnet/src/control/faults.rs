//! `POST /faults`, `GET /faults`, `DELETE /faults`.

use super::{Body, Control, Failure, body};
use crate::error::SimnetError;
use crate::faults::{Fault, FaultKind};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};

impl Control {
    /// Switches a fault on. A ban also cuts the live connections it is about.
    pub async fn add_fault(&self, fault: Fault) -> Result<(), SimnetError> {
        if let Some(phone) = &fault.phone {
            self.net.require(phone)?;
        }
        self.net.faults.add(fault.clone())?;
        if fault.kind == FaultKind::Ban {
            for account in self.net.accounts() {
                if fault.phone.as_deref().is_some_and(|only| *only != *account.phone) {
                    continue;
                }
                for connection in account.devices().iter().filter_map(|d| d.connection()) {
                    connection.cut();
                }
            }
        }
        Ok(())
    }

    /// The faults in force, with the strikes they have left.
    pub async fn faults(&self) -> Vec<Fault> {
        self.net.faults.list()
    }

    /// Switches all faults off; returns how many there were.
    pub async fn clear_faults(&self) -> usize {
        self.net.faults.clear()
    }
}

pub(super) fn routes() -> Router<Control> {
    Router::new().route("/faults", post(add).get(list).delete(clear))
}

async fn add(State(control): State<Control>, bytes: Body) -> Result<(StatusCode, Json<Fault>), Failure> {
    let fault: Fault = body(bytes)?;
    control.add_fault(fault.clone()).await?;
    Ok((StatusCode::CREATED, Json(fault)))
}

async fn list(State(control): State<Control>) -> Json<Vec<Fault>> {
    Json(control.faults().await)
}

async fn clear(State(control): State<Control>) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "cleared": control.clear_faults().await }))
}
