//! What a phone does when it admits a companion, having scanned its QR code or been given its code: it signs the companion's identity key
//! (ADV), and keeps the signed list of which companions are valid.

use crate::account::Account;
use crate::chance::{Chance, now};
use crate::error::SimnetError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use waproto::buffa::Message as _;
use waproto::whatsapp::{self as wa, ADVEncryptionType};

/// Prefix of what the account signs for a companion.
const ACCOUNT_SIGNATURE: &[u8] = &[6, 0];
/// Prefix of what the companion signs in return.
pub(crate) const DEVICE_SIGNATURE: &[u8] = &[6, 1];
/// Prefix of what the account signs for its list of companions.
const KEY_INDEX_LIST: &[u8] = &[6, 2];

/// The contents of a QR code.
pub(crate) struct Scanned {
    pub(crate) reference: String,
    pub(crate) noise: [u8; 32],
    pub(crate) identity: [u8; 32],
    secret: Vec<u8>,
}

impl Scanned {
    /// What a pairing code ends in is what a QR code begins with.
    pub(crate) fn of_code(noise: [u8; 32], identity: [u8; 32], secret: Vec<u8>) -> Self {
        Self { reference: String::new(), noise, identity, secret }
    }
}

/// Reads a QR code: `ref,noise,identity,adv` and optionally more fields, each key in base64.
pub(crate) fn scan(qr: &str) -> Result<Scanned, SimnetError> {
    let bad = |what: &str| {
        SimnetError::Invalid(format!(
            "not a pairing code ({what}): pass the QR string of the session as it is, \"ref,noise,identity,secret,…\""
        ))
    };
    let body = qr.rsplit_once('#').map_or(qr, |(_, body)| body).trim();
    let fields: Vec<&str> = body.split(',').collect();
    let [reference, noise, identity, secret, ..] = fields.as_slice() else {
        return Err(bad("fewer than four fields"));
    };
    let key = |field: &str, name: &str| {
        let bytes = STANDARD.decode(field).map_err(|_| bad(name))?;
        <[u8; 32]>::try_from(bytes).map_err(|_| bad(name))
    };
    Ok(Scanned {
        reference: (*reference).to_owned(),
        noise: key(noise, "noise key")?,
        identity: key(identity, "identity key")?,
        secret: STANDARD.decode(secret).map_err(|_| bad("secret"))?,
    })
}

/// The `ADVSignedDeviceIdentityHMAC` that admits a companion.
pub(crate) fn sign_companion(
    account: &Account,
    scanned: &Scanned,
    key_index: u32,
    chance: &Chance,
) -> Result<Vec<u8>, SimnetError> {
    let own = &account.primary.identity;
    let details = wa::ADVDeviceIdentity {
        raw_id: Some(account.raw_id),
        timestamp: Some(now()),
        key_index: Some(key_index),
        account_type: Some(ADVEncryptionType::E2EE),
        device_type: Some(ADVEncryptionType::E2EE),
    }
    .encode_to_vec();
    let signature = own
        .private()
        .calculate_signature(&[ACCOUNT_SIGNATURE, &details, &scanned.identity].concat(), &mut chance.fork())
        .map_err(|e| SimnetError::Signal(e.to_string()))?;
    let signed = wa::ADVSignedDeviceIdentity {
        details: Some(details),
        account_signature_key: Some(own.public().to_vec()),
        account_signature: Some(signature.to_vec()),
        ..Default::default()
    }
    .encode_to_vec();
    let mut mac = Hmac::<Sha256>::new_from_slice(&scanned.secret)
        .map_err(|_| SimnetError::Invalid("pairing secret is empty".into()))?;
    mac.update(&signed);
    Ok(wa::ADVSignedDeviceIdentityHMAC {
        details: Some(signed),
        hmac: Some(mac.finalize().into_bytes().to_vec()),
        account_type: Some(ADVEncryptionType::E2EE),
    }
    .encode_to_vec())
}

/// The signed list of the account's valid companions, with its timestamp.
pub(crate) fn key_index_list(account: &Account, chance: &Chance) -> Option<(u64, Vec<u8>)> {
    let mut indexes: Vec<u32> = account.devices().iter().map(|device| device.key_index).collect();
    indexes.sort_unstable();
    let timestamp = now();
    let details = wa::ADVKeyIndexList {
        raw_id: Some(account.raw_id),
        timestamp: Some(timestamp),
        current_index: indexes.last().copied(),
        valid_indexes: indexes,
        account_type: Some(ADVEncryptionType::E2EE),
    }
    .encode_to_vec();
    let own = &account.primary.identity;
    let signature = own.private().calculate_signature(&[KEY_INDEX_LIST, &details].concat(), &mut chance.fork()).ok()?;
    let list = wa::ADVSignedKeyIndexList {
        details: Some(details),
        account_signature: Some(signature.to_vec()),
        account_signature_key: Some(own.public().to_vec()),
    };
    Some((timestamp, list.encode_to_vec()))
}
