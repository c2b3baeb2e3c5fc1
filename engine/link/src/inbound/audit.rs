//! Changes of the account's credentials and of what belongs to them, gathered so
//! that a person is told a few times a minute at most. Names only, never values.

use super::news::News;
use super::who::{Me, address};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;
use warest_model::event::{EventKind, Observation};
use whatsapp_rust::types::events::Event;

/// Least time between two events.
const APART: Duration = Duration::from_secs(20);

/// What changed and was not told yet.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    changed: BTreeSet<&'static str>,
    told: Option<Instant>,
}

impl Audit {
    /// Takes note of news that is about the account itself.
    pub(crate) fn hear(&mut self, me: &Me, news: &News) {
        let event = match news {
            News::Devices => {
                self.changed.insert("devices");
                return;
            }
            News::Event(event) => event,
            News::Read { .. } => return,
        };
        match &**event {
            Event::PairSuccess(_) => self.changed.extend(["me", "lid", "platform", "identity"]),
            Event::SelfPushNameUpdated(_) => {
                self.changed.insert("pushName");
            }
            Event::DeviceListUpdate(update) if me.is(&update.user) => {
                self.changed.insert("devices");
            }
            Event::IdentityChange(change) if me.is(&change.user) => {
                self.changed.insert("identity");
            }
            _ => {}
        }
    }

    /// When the next event is due, if there is something to tell.
    pub(crate) fn due(&self) -> Option<Instant> {
        let told = self.told.map_or_else(Instant::now, |told| told + APART);
        (!self.changed.is_empty()).then_some(told)
    }

    /// The event, if it is due.
    pub(crate) fn take(&mut self, me: &Me, now: Instant) -> Option<Observation> {
        if self.changed.is_empty() || self.told.is_some_and(|told| now < told + APART) {
            return None;
        }
        self.told = Some(now);
        let changed = std::mem::take(&mut self.changed);
        let own = me.phone.as_ref().or(me.lid.as_ref()).and_then(address);
        let mut data = json!({ "changed": changed, "me": own, "tags": ["session"] });
        if let Some(lid) = me.lid.as_ref().and_then(address) {
            data["lid"] = json!(lid);
        }
        Some(Observation::new(EventKind::CredsUpdate, None, data))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::who::Names as _;
    use super::super::who::testing::book;
    use super::*;
    use std::sync::Arc;
    use whatsapp_rust::types::events::{IdentityChange, PairSuccess};

    fn identity(user: &str) -> News {
        let change = IdentityChange::builder().user(user.parse().unwrap()).implicit(false).build();
        News::Event(Arc::new(Event::IdentityChange(change)))
    }

    #[tokio::test]
    async fn changes_are_named_and_gathered() {
        let me = book().me();
        let mut audit = Audit::default();
        let paired = PairSuccess::builder()
            .id("62899999:3@s.whatsapp.net".parse().unwrap())
            .lid("99900999@lid".parse().unwrap())
            .business_name(String::new())
            .platform("android".into())
            .build();
        audit.hear(&me, &News::Event(Arc::new(Event::PairSuccess(paired))));
        audit.hear(&me, &identity("62811111@s.whatsapp.net"));
        let first = audit.take(&me, Instant::now()).unwrap();
        assert_eq!(
            first.data,
            json!({"changed": ["identity", "lid", "me", "platform"], "me": "62899999@s.whatsapp.net",
                   "lid": "99900999@lid", "tags": ["session"]})
        );
        audit.hear(&me, &News::Devices);
        audit.hear(&me, &identity("99900999@lid"));
        assert_eq!(audit.take(&me, Instant::now()), None, "not so soon");
        let due = audit.due().unwrap();
        assert_eq!(audit.take(&me, due).unwrap().data["changed"], json!(["devices", "identity"]));
        assert_eq!(audit.due(), None);
    }
}
