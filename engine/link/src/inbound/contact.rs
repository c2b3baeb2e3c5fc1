//! What the server says of people: pictures, what they say of themselves, numbers,
//! keys, businesses.

use super::group;
use super::news::Out;
use super::settings::{contact_event, of_contact};
use super::who::{Names, Who, name};
use serde_json::{Map, Value, json};
use warest_model::clock::Millis;
use warest_model::event::{EventKind, Observation};
use warest_model::history::{Change, Contact};
use whatsapp_rust::Jid;
use whatsapp_rust::types::events::{Event, NewsletterLiveUpdate};

/// Most messages of a newsletter whose reactions are counted at once, and most
/// kinds of reactions of each.
const POSTS: usize = 256;
const REACTIONS: usize = 256;

/// What is seen of a notification; nothing if it is none of these.
pub(crate) async fn observe(names: &dyn Names, event: &Event, now_ms: Millis) -> Vec<Out> {
    let seen = match event {
        Event::PictureUpdate(update) if update.jid.server == whatsapp_rust::Server::Group => {
            group::picture(names, update).await
        }
        Event::PictureUpdate(update) => {
            of(names, &update.jid, "picture", update.timestamp.timestamp_millis(), |data| {
                data.insert("pictureId".to_owned(), json!(update.picture_id));
                data.insert("removed".to_owned(), json!(update.removed));
            })
            .await
        }
        Event::UserAboutUpdate(update) => {
            of(names, &update.jid, "about", update.timestamp.timestamp_millis(), |data| {
                data.insert("about".to_owned(), json!(update.status));
            })
            .await
        }
        Event::ContactUpdated(update) => {
            of(names, &update.jid, "profile", update.timestamp.timestamp_millis(), |_| {}).await
        }
        Event::ContactNumberChanged(update) => {
            let old = name(names, &update.old_jid, update.old_lid.as_ref()).await;
            let new = name(names, &update.new_jid, update.new_lid.as_ref()).await;
            let (Some(old), Some(new)) = (old, new) else { return Vec::new() };
            let mut data = from_server(&new, "number", update.timestamp.timestamp_millis());
            data.insert("oldJid".to_owned(), json!(old.address));
            let known = Contact { jid: Some(new.address.clone()), lid: new.lid.clone(), ..Contact::default() };
            Some(Observation { changes: vec![Change::Contact(Box::new(known))], ..contact_event(&new, data) })
        }
        Event::BusinessStatusUpdate(update) => {
            let jid = update.target_jid.as_ref().unwrap_or(&update.jid);
            let seen = of(names, jid, "business", update.timestamp.timestamp_millis(), |data| {
                data.insert("business".to_owned(), json!(update.update_type.as_str()));
                data.insert("verifiedName".to_owned(), json!(update.verified_name));
            });
            let Some(mut seen) = seen.await else { return Vec::new() };
            if let (Some(jid), Some(name)) = (seen.chat.clone(), update.verified_name.clone()) {
                let known = Contact { jid: Some(jid), verified_name: Some(name), ..Contact::default() };
                seen.changes.push(Change::Contact(Box::new(known)));
            }
            Some(seen)
        }
        Event::DisappearingModeChanged(update) => {
            of(names, &update.from, "disappearing_mode", update.setting_timestamp.timestamp_millis(), |data| {
                data.insert("seconds".to_owned(), json!(update.duration));
            })
            .await
        }
        Event::IdentityChange(update) => {
            let Some(who) = name(names, &update.user, update.lid_user.as_ref()).await else { return Vec::new() };
            Some(contact_event(&who, from_server(&who, "identity", now_ms)))
        }
        Event::NewsletterLiveUpdate(update) => return counts(names, update, now_ms).await,
        _ => None,
    };
    seen.map(Out::Event).into_iter().collect()
}

async fn of(
    names: &dyn Names,
    jid: &Jid,
    change: &str,
    at_ms: Millis,
    more: impl FnOnce(&mut Map<String, Value>),
) -> Option<Observation> {
    let who = name(names, jid, None).await?;
    let mut data = from_server(&who, change, at_ms);
    more(&mut data);
    Some(contact_event(&who, data))
}

fn from_server(who: &Who, change: &str, at_ms: Millis) -> Map<String, Value> {
    let mut data = of_contact(who, change, at_ms);
    data.insert("tags".to_owned(), json!(["inbound"]));
    data
}

/// How often posts of a newsletter were reacted to.
async fn counts(names: &dyn Names, update: &NewsletterLiveUpdate, now_ms: Millis) -> Vec<Out> {
    let Some(newsletter) = name(names, &update.newsletter_jid, None).await else { return Vec::new() };
    let posts = update.messages.iter().take(POSTS).map(|post| {
        let counts = post.reactions.iter().take(REACTIONS).map(|one| (one.code.clone(), json!(one.count)));
        let data = json!({
            "change": "reactions", "chatId": newsletter.address, "serverId": post.server_id,
            "value": Map::from_iter(counts), "timestamp": now_ms, "tags": ["inbound", "newsletter"],
        });
        Out::Event(Observation::new(EventKind::ChatUpdate, Some(newsletter.address.clone()), data))
    });
    posts.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::who::testing::book;
    use super::*;
    use whatsapp_rust::chrono::{DateTime, Utc};
    use whatsapp_rust::types::events::{
        BusinessStatusUpdate, BusinessUpdateType, ContactNumberChanged, IdentityChange, PictureUpdate, UserAboutUpdate,
    };

    const ANI: &str = "62811111@s.whatsapp.net";

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_732_364_392, 0).unwrap()
    }

    async fn seen(event: Event) -> Observation {
        match observe(&book(), &event, 5).await.pop().unwrap() {
            Out::Event(seen) => seen,
            Out::History(change) => panic!("{change:?}"),
        }
    }

    #[tokio::test]
    async fn people_change_their_pictures_and_words() {
        let picture = |jid: &str| {
            let update = PictureUpdate::builder()
                .jid(jid.parse().unwrap())
                .author(ANI.parse().unwrap())
                .timestamp(now())
                .removed(false)
                .picture_id("P1".into())
                .build();
            Event::PictureUpdate(update)
        };
        let contact = seen(picture("10000100@lid")).await;
        assert_eq!(
            contact.data,
            json!({"change": "picture", "jid": ANI, "lid": "10000100@lid", "pictureId": "P1", "removed": false,
                   "timestamp": 1_732_364_392_000_i64, "tags": ["inbound"]})
        );
        assert_eq!((contact.kind, contact.chat.unwrap().as_str()), (EventKind::ContactUpdate, ANI));
        let group = seen(picture("120363@g.us")).await;
        assert_eq!((group.kind, &group.data["change"]), (EventKind::GroupUpdate, &json!("picture")));
        assert_eq!(group.data["picture"], json!({"id": "P1", "removed": false}));
        let about = UserAboutUpdate::builder().jid(ANI.parse().unwrap()).status("busy".into()).timestamp(now()).build();
        let about = seen(Event::UserAboutUpdate(about)).await;
        assert_eq!((&about.data["change"], &about.data["about"]), (&json!("about"), &json!("busy")));
    }

    #[tokio::test]
    async fn numbers_keys_and_businesses_change() {
        let number = ContactNumberChanged::builder()
            .old_jid(ANI.parse().unwrap())
            .new_jid("62833333@s.whatsapp.net".parse().unwrap())
            .new_lid("300@lid".parse().unwrap())
            .timestamp(now())
            .build();
        let number = seen(Event::ContactNumberChanged(number)).await;
        assert_eq!((&number.data["change"], &number.data["oldJid"]), (&json!("number"), &json!(ANI)));
        assert_eq!((&number.data["jid"], &number.data["lid"]), (&json!("62833333@s.whatsapp.net"), &json!("300@lid")));
        assert!(matches!(&number.changes[0], Change::Contact(_)));
        let identity = IdentityChange::builder().user(ANI.parse().unwrap()).implicit(false).build();
        let identity = seen(Event::IdentityChange(identity)).await;
        assert_eq!((&identity.data["change"], &identity.data["timestamp"]), (&json!("identity"), &json!(5)));
        let business = BusinessStatusUpdate::builder()
            .jid(ANI.parse().unwrap())
            .update_type(BusinessUpdateType::VerifiedNameChanged)
            .timestamp(now())
            .verified_name("Shop".into())
            .product_ids(Vec::new())
            .collection_ids(Vec::new())
            .subscriptions(Vec::new())
            .build();
        let business = seen(Event::BusinessStatusUpdate(business)).await;
        assert_eq!(
            (&business.data["business"], &business.data["verifiedName"]),
            (&json!("verified_name_changed"), &json!("Shop"))
        );
        let Change::Contact(contact) = &business.changes[0] else { panic!() };
        assert_eq!(contact.verified_name.as_deref(), Some("Shop"));
    }
}
