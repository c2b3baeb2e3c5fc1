//! Pairing by QR. The server shows references; a phone scans one and signs the companion's
//! identity; the companion checks and countersigns; the server registers the device, says 515 and
//! closes, and the companion comes back as that device.

use super::devices::{self, Change};
use super::node;
use super::pair_code::CodeFlow;
use super::socket::Connection;
use crate::account::{Account, Device, KeyBundle, lock};
use crate::chance::now;
use crate::error::SimnetError;
use crate::network::Network;
use crate::phone::{Command, pair, welcome_due};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use wacore_libsignal::protocol::PublicKey;
use waproto::buffa::Message as _;
use waproto::whatsapp::{self as wa, ClientPayload};

/// References shown to one companion.
const REFERENCES: usize = 6;
/// Companions of one account.
const COMPANIONS: usize = 100;
/// Some clients are not ready for a frame right after the handshake.
const FIRST_FRAME: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_secs(20);

/// A companion that waits to be scanned.
pub(crate) struct Pending {
    connection: Arc<Connection>,
    references: Vec<String>,
    noise: [u8; 32],
    identity: [u8; 32],
    keys: KeyBundle,
    link: Mutex<Option<Link>>,
    /// Set while it asks to be linked by code.
    pub(crate) code: CodeFlow,
}

impl Pending {
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Its Noise key.
    pub(crate) fn noise(&self) -> &[u8; 32] {
        &self.noise
    }
}

struct Link {
    account: Arc<Account>,
    device: u16,
    key_index: u32,
    done: oneshot::Sender<Result<Jid, SimnetError>>,
}

/// Shows references to a client that has no account. `None` when it brought no keys.
pub(crate) async fn begin(
    net: &Arc<Network>,
    connection: &Arc<Connection>,
    noise: [u8; 32],
    payload: &ClientPayload,
) -> Option<Arc<Pending>> {
    let data = payload.device_pairing_data.as_option()?;
    let number =
        |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|b| b.iter().fold(0u32, |n, byte| (n << 8) | u32::from(*byte)));
    let keys = KeyBundle {
        registration_id: number(&data.e_regid)?,
        signed_id: number(&data.e_skey_id)?,
        signed_public: data.e_skey_val.clone().filter(|key| key.len() == 32)?,
        signed_signature: data.e_skey_sig.clone().filter(|sig| sig.len() == 64)?,
        ..KeyBundle::default()
    };
    let identity = data.e_ident.as_deref()?.try_into().ok()?;
    let references: Vec<String> =
        (0..REFERENCES).map(|_| format!("2@{}", STANDARD.encode(net.chance.bytes::<48>()))).collect();
    let pending = Arc::new(Pending {
        connection: connection.clone(),
        references: references.clone(),
        noise,
        identity,
        keys,
        link: Mutex::default(),
        code: CodeFlow::default(),
    });
    {
        let mut pairings = lock(&net.pairings);
        for reference in &references {
            pairings.insert(reference.clone(), pending.clone());
        }
    }
    let refs = references.into_iter().map(|reference| NodeBuilder::new("ref").bytes(reference.into_bytes()).build());
    let pair_device = NodeBuilder::new("pair-device").children(refs).build();
    tokio::time::sleep(FIRST_FRAME).await;
    connection.send(request(net, pair_device)).await;
    Some(pending)
}

fn request(net: &Network, child: Node) -> Node {
    NodeBuilder::new("iq")
        .attr("from", node::SERVER)
        .attr("id", net.chance.stanza_id())
        .attr("type", "set")
        .attr("xmlns", "md")
        .attr("t", now())
        .children([child])
        .build()
}

/// Takes a companion's references off show.
pub(crate) fn end(net: &Network, pending: &Pending) {
    let mut pairings = lock(&net.pairings);
    for reference in &pending.references {
        pairings.remove(reference);
    }
    drop(pairings);
    if let Some(link) = lock(&pending.link).take() {
        let error = SimnetError::Pairing("the companion hung up; show a fresh code and try again".into());
        let _ = link.done.send(Err(error));
    }
}

/// A phone scans a code. Waits until the companion has countersigned; returns the device.
pub(crate) async fn scan(net: &Arc<Network>, account: &Arc<Account>, qr: &str) -> Result<Jid, SimnetError> {
    let scanned = pair::scan(qr)?;
    let pending = net.pairing(&scanned.reference).ok_or_else(|| {
        SimnetError::Pairing("the code is not on show (used or expired); take the session's current one".into())
    })?;
    if pending.noise != scanned.noise || pending.identity != scanned.identity {
        return Err(SimnetError::Pairing("the code's keys are not those of the companion".into()));
    }
    admit(net, account, &pending, &scanned).await
}

/// A phone admits a companion whose secret it knows. Waits until the companion has countersigned;
/// returns the device.
pub(crate) async fn admit(
    net: &Arc<Network>,
    account: &Arc<Account>,
    pending: &Arc<Pending>,
    scanned: &pair::Scanned,
) -> Result<Jid, SimnetError> {
    if pending.identity != scanned.identity {
        return Err(SimnetError::Pairing("the companion's identity is not the one it connected with".into()));
    }
    if account.devices().len() > COMPANIONS {
        return Err(SimnetError::Pairing(format!(
            "{} has {COMPANIONS} companions already; log one out",
            account.phone
        )));
    }
    let index = account.next_device.fetch_add(1, Ordering::Relaxed);
    let device = u16::try_from(index)
        .ok()
        .filter(|id| *id <= 99 * 655)
        .ok_or_else(|| SimnetError::Pairing("the account has used up its device ids".into()))?;
    let container = pair::sign_companion(account, scanned, index, &net.chance)?;
    let (done, linked) = oneshot::channel();
    {
        let mut link = lock(&pending.link);
        if link.is_some() {
            return Err(SimnetError::Pairing("the code is being scanned by another phone".into()));
        }
        *link = Some(Link { account: account.clone(), device, key_index: index, done });
    }
    let props = wa::ClientPairingProps {
        is_chat_db_lid_migrated: Some(true),
        is_syncd_pure_lid_session: Some(false),
        ..Default::default()
    };
    let success = NodeBuilder::new("pair-success")
        .children([
            NodeBuilder::new("device-identity").bytes(container).build(),
            NodeBuilder::new("device")
                .attr("jid", Jid::pn_device(&*account.phone, device))
                .attr("lid", Jid::lid_device(&*account.lid, device))
                .build(),
            NodeBuilder::new("platform").attr("name", "android").build(),
            NodeBuilder::new("biz").attr("name", account.name()).build(),
            NodeBuilder::new("client-props").bytes(props.encode_to_vec()).build(),
        ])
        .build();
    pending.connection.send(request(net, success)).await;
    match tokio::time::timeout(DEADLINE, linked).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(SimnetError::Stopping),
        Err(_) => {
            lock(&pending.link).take();
            Err(SimnetError::Pairing("the companion did not answer within 20 s".into()))
        }
    }
}

/// Handles a stanza of a companion that is pairing.
pub(crate) async fn stanza(net: &Arc<Network>, pending: &Arc<Pending>, stanza: &Node) {
    if &*stanza.tag != "iq" {
        return;
    }
    let signed = stanza
        .get_optional_child("pair-device-sign")
        .and_then(|sign| sign.get_optional_child("device-identity"))
        .and_then(node::bytes);
    let failed = node::attr(stanza, "type").is_some_and(|kind| kind == "error");
    if signed.is_none() && !failed {
        return;
    }
    let Some(link) = lock(&pending.link).take() else { return };
    let result = match signed {
        Some(signed) => register(net, pending, &link, signed),
        None => Err(SimnetError::Pairing("the companion refused the phone's signature".into())),
    };
    if result.is_ok() {
        pending.connection.close_with(NodeBuilder::new("stream:error").attr("code", "515").build());
        net.stats.count("pairings");
    }
    let _ = link.done.send(result);
}

fn register(net: &Arc<Network>, pending: &Pending, link: &Link, signed: &[u8]) -> Result<Jid, SimnetError> {
    let account = &link.account;
    let bad = |what: &str| SimnetError::Pairing(format!("the companion's answer: {what}"));
    let mut identity =
        waproto::codec::adv_signed_device_identity_decode(signed).map_err(|_| bad("unreadable identity"))?;
    let account_key = account.primary.identity.public();
    // Clients may leave out the account's key, which everybody knows.
    identity.account_signature_key = Some(account_key.to_vec());
    let key = PublicKey::from_djb_public_key_bytes(&pending.identity).map_err(|_| bad("bad identity key"))?;
    let details = identity.details.as_deref().unwrap_or_default();
    let content = [pair::DEVICE_SIGNATURE, details, &pending.identity, &account_key].concat();
    let signature = identity.device_signature.as_deref().unwrap_or_default();
    if !key.verify_signature(&content, signature) {
        return Err(bad("its signature does not verify"));
    }
    let device = Arc::new(Device {
        phone: account.phone.clone(),
        lid: account.lid.clone(),
        id: link.device,
        key_index: link.key_index,
        identity: pending.identity,
        noise: pending.noise,
        signed_identity: waproto::codec::adv_signed_device_identity_to_vec(&identity),
        keys: Mutex::new(pending.keys.clone()),
        queue: Default::default(),
        connection: Mutex::default(),
        low_announced: AtomicBool::new(true),
        welcomed: AtomicBool::new(false),
    });
    account.insert_device(device.clone());
    devices::announce(net, account, &device, Change::Add);
    if welcome_due(&device) {
        let _ = account.primary.commands.try_send(Command::Welcome(device.id));
    }
    net.touch();
    Ok(device.pn_jid())
}
