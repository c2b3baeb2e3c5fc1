//! Labels.

use crate::outbound::address::wire;
use crate::outbound::fault::of_state;
use warest_model::fault::Fault;
use warest_model::history::Label;
use warest_model::jid::Jid as Address;
use whatsapp_rust::Client;

pub(super) async fn save(client: &Client, label: &Label) -> Result<(), Fault> {
    named(&label.id)?;
    if label.name.trim().is_empty() {
        return Err(Fault::fail("label_invalid", "a label needs a name"));
    }
    client.labels().create_label(&label.id, &label.name, label.color).await.map_err(of_state)
}

pub(super) async fn remove(client: &Client, id: &str) -> Result<(), Fault> {
    named(id)?;
    client.labels().delete_label(id).await.map_err(of_state)
}

pub(super) async fn put(client: &Client, label: &str, chat: &Address, on: bool) -> Result<(), Fault> {
    named(label)?;
    let chat = wire(client, chat).await?;
    let labels = client.labels();
    let done =
        if on { labels.add_chat_label(label, &chat).await } else { labels.remove_chat_label(label, &chat).await };
    done.map_err(of_state)
}

fn named(id: &str) -> Result<(), Fault> {
    if id.is_empty() { Err(Fault::fail("label_invalid", "a label has an id; give it")) } else { Ok(()) }
}
