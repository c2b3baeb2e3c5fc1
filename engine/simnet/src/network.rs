//! The whole simulated network in memory: its certificate authority, its accounts by number and by
//! LID, the pairing references on show, the faults switched on, the counters. Shared by every
//! connection, every phone and the control API; each map has its own short lock.

use crate::account::{Account, Device, is_phone, lid_for, lock};
use crate::chance::Chance;
use crate::error::SimnetError;
use crate::faults::Faults;
use crate::media::MediaHost;
use crate::phone::{self, Phone};
use crate::server::calls::Calls;
use crate::server::group::Groups;
use crate::server::newsletter::Newsletters;
use crate::server::noise::Authority;
use crate::server::pairing::Pending;
use crate::stats::Stats;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wacore_binary::{Jid, Server};

/// The most phones in one network.
const PHONE_LIMIT: usize = 10_000;

/// State shared by everything in simnet.
pub(crate) struct Network {
    pub(crate) chance: Chance,
    pub(crate) authority: Authority,
    accounts: RwLock<HashMap<Arc<str>, Arc<Account>>>,
    lids: RwLock<HashMap<Arc<str>, Arc<str>>>,
    pub(crate) pairings: Mutex<HashMap<String, Arc<Pending>>>,
    pub(crate) groups: Groups,
    pub(crate) calls: Calls,
    pub(crate) newsletters: Newsletters,
    /// Where simnet listens, once it does.
    pub(crate) address: OnceLock<SocketAddr>,
    pub(crate) faults: Faults,
    pub(crate) stats: Stats,
    /// Set once the media host listens.
    pub(crate) media: OnceLock<MediaHost>,
    /// Cancelled at shutdown.
    pub(crate) stop: CancellationToken,
    /// Rung when something worth saving changed.
    pub(crate) changed: Notify,
}

impl Network {
    pub(crate) fn new(chance: Chance, authority: Authority) -> Arc<Self> {
        Arc::new(Self {
            chance,
            authority,
            accounts: RwLock::default(),
            lids: RwLock::default(),
            pairings: Mutex::default(),
            groups: Groups::default(),
            calls: Calls::default(),
            newsletters: Newsletters::default(),
            address: OnceLock::new(),
            faults: Faults::default(),
            stats: Stats::default(),
            media: OnceLock::new(),
            stop: CancellationToken::new(),
            changed: Notify::new(),
        })
    }

    /// The media host.
    pub(crate) fn media(&self) -> Result<&MediaHost, SimnetError> {
        self.media.get().ok_or_else(|| SimnetError::Media("this network has no media host".into()))
    }

    /// Notes that the state file is out of date.
    pub(crate) fn touch(&self) {
        self.changed.notify_one();
    }

    /// The account of a number.
    pub(crate) fn account(&self, phone: &str) -> Option<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(phone).cloned()
    }

    /// The account of a number, or the error a caller should see.
    pub(crate) fn require(&self, phone: &str) -> Result<Arc<Account>, SimnetError> {
        self.account(phone).ok_or_else(|| SimnetError::UnknownPhone(phone.to_owned()))
    }

    /// The account that a JID of either namespace names.
    pub(crate) fn account_of(&self, jid: &Jid) -> Option<Arc<Account>> {
        match jid.server {
            Server::Lid | Server::HostedLid => {
                let phone = self.lids.read().unwrap_or_else(PoisonError::into_inner).get(jid.user.as_str()).cloned()?;
                self.account(&phone)
            }
            Server::Pn | Server::Legacy | Server::Hosted => self.account(jid.user.as_str()),
            _ => None,
        }
    }

    /// The account that a JID names, unless it is not to be found on WhatsApp.
    pub(crate) fn reachable(&self, jid: &Jid) -> Option<Arc<Account>> {
        self.account_of(jid).filter(|account| lock(&account.person).listed)
    }

    /// The device that a JID names.
    pub(crate) fn device_of(&self, jid: &Jid) -> Option<Arc<Device>> {
        self.account_of(jid)?.device(jid.device)
    }

    /// All accounts, by number.
    pub(crate) fn accounts(&self) -> Vec<Arc<Account>> {
        let mut all: Vec<_> = self.accounts.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_by(|a, b| a.phone.cmp(&b.phone));
        all
    }

    /// Adds a phone, or renames the one that has this number. Returns whether it is new.
    pub(crate) fn add_phone(self: &Arc<Self>, number: &str, name: &str) -> Result<(Arc<Account>, bool), SimnetError> {
        if !is_phone(number) {
            return Err(SimnetError::Invalid(format!(
                "phone {number:?} is not a number: give 5 to 20 digits with the country code and no leading zero"
            )));
        }
        if name.len() > 200 {
            return Err(SimnetError::Invalid("name is longer than 200 bytes: shorten it".into()));
        }
        if let Some(account) = self.account(number) {
            account.rename(name);
            self.touch();
            return Ok((account, false));
        }
        let (primary, device_keys, commands) = Phone::generate(&self.chance)?;
        let phone: Arc<str> = number.into();
        let lid = self.free_lid(number);
        let account =
            Arc::new(Account::new(phone.clone(), lid.clone(), name.to_owned(), primary, self.chance.u32(), 1));
        account.insert_device(Arc::new(phone::primary_device(&account, device_keys)));
        self.enter(account.clone(), commands)?;
        self.touch();
        Ok((account, true))
    }

    fn free_lid(&self, number: &str) -> Arc<str> {
        let lids = self.lids.read().unwrap_or_else(PoisonError::into_inner);
        let mut salt = 0;
        loop {
            let lid = lid_for(number, salt);
            if !lids.contains_key(lid.as_str()) {
                return lid.into();
            }
            salt += 1;
        }
    }

    /// Puts a complete account on the network and starts its phone.
    pub(crate) fn enter(self: &Arc<Self>, account: Arc<Account>, commands: phone::Commands) -> Result<(), SimnetError> {
        {
            let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
            if accounts.len() >= PHONE_LIMIT {
                return Err(SimnetError::Invalid(format!(
                    "the network is full at {PHONE_LIMIT} phones: restart simnet with an empty state"
                )));
            }
            if accounts.contains_key(&account.phone) {
                return Ok(());
            }
            accounts.insert(account.phone.clone(), account.clone());
        }
        self.lids.write().unwrap_or_else(PoisonError::into_inner).insert(account.lid.clone(), account.phone.clone());
        phone::start(self.clone(), account, commands);
        Ok(())
    }

    /// Takes a pairing reference off show.
    pub(crate) fn pairing(&self, reference: &str) -> Option<Arc<Pending>> {
        lock(&self.pairings).get(reference).cloned()
    }
}
