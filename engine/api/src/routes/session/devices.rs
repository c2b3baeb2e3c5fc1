//! `GET /session/devices`: the devices of an account, the phone first. Without an
//! account, the one that waits to be paired.

use crate::codes;
use crate::envelope::Reply;
use crate::error::ApiResult;
use crate::extract::About;
use crate::faults::Question;
use serde_json::{Value, json};
use warest_pipeline::EngineError;

/// What the engine calls itself among the linked devices.
const OURSELVES: &str = "WARest";

/// The devices.
pub async fn get(about: About) -> ApiResult {
    let account = match about.state.engine.account(&about.entry) {
        Err(EngineError::NotOpen) => {
            let nobody = json!({ "name": null, "phone": null, "device": OURSELVES });
            return Ok(Reply::new(codes::SUCCESS, "Device Info").results(vec![nobody]));
        }
        account => account?,
    };
    let mut devices = account.devices().await.map_err(|fault| Question::Me.refusal(fault))?;
    let name = account.push_name().await.map_err(|fault| Question::Me.refusal(fault))?;
    let own = account.own_device().await.map_err(|fault| Question::Me.refusal(fault))?;
    devices.sort_unstable();
    let phone = about.phone();
    let show = |number: &u16| {
        let is_me = *number == own;
        let kind = match number {
            0 => "phone",
            _ if is_me => OURSELVES,
            _ => "companion",
        };
        json!({ "name": name, "phone": phone, "device": kind, "deviceId": number, "isMe": is_me })
    };
    let devices: Vec<Value> = devices.iter().map(show).collect();
    Ok(Reply::new(codes::SUCCESS, "Device Info").results(devices))
}
