//! Cards of people: vCard 3.0 (RFC 2426).

use warest_model::content::Card;
use whatsapp_rust::waproto::whatsapp as wa;

/// One card, or several in one message.
pub(super) fn message(cards: &[Card]) -> wa::Message {
    match cards {
        [card] => wa::Message { contact_message: contact(card).into(), ..Default::default() },
        cards => wa::Message {
            contacts_array_message: wa::message::ContactsArrayMessage {
                display_name: Some(format!("{} contacts", cards.len())),
                contacts: cards.iter().map(contact).collect(),
                ..Default::default()
            }
            .into(),
            ..Default::default()
        },
    }
}

fn contact(card: &Card) -> wa::message::ContactMessage {
    let vcard = card.vcard.clone().unwrap_or_else(|| vcard(card));
    let name = if card.full_name.is_empty() { name_in(&vcard) } else { card.full_name.clone() };
    wa::message::ContactMessage { display_name: Some(name), vcard: Some(vcard), ..Default::default() }
}

/// The name that a complete vCard gives.
fn name_in(vcard: &str) -> String {
    let line = vcard.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.split(';').next().is_some_and(|name| name.eq_ignore_ascii_case("FN")).then_some(value)
    });
    line.unwrap_or("Contact").trim().replace("\\,", ",").replace("\\;", ";")
}

fn vcard(card: &Card) -> String {
    let name = escaped(&card.full_name);
    let mut lines =
        vec!["BEGIN:VCARD".to_owned(), "VERSION:3.0".to_owned(), format!("N:;{name};;;"), format!("FN:{name}")];
    if let Some(organization) = filled(card.organization.as_deref()) {
        lines.push(format!("ORG:{}", escaped(organization)));
    }
    if let Some(phone) = filled(card.phone.as_deref()) {
        lines.push(telephone(phone));
    }
    if let Some(email) = filled(card.email.as_deref()) {
        lines.push(format!("EMAIL;type=INTERNET:{}", escaped(email)));
    }
    lines.push("END:VCARD".to_owned());
    lines.join("\n")
}

/// A number; with the account behind it, if it is written with its country, so
/// that the card leads to a chat.
fn telephone(phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    if (7..=15).contains(&digits.len()) && !digits.starts_with('0') {
        format!("TEL;type=CELL;type=VOICE;waid={digits}:+{digits}")
    } else {
        format!("TEL;type=CELL;type=VOICE:{}", escaped(phone))
    }
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A value in which nothing is taken for structure; other control characters
/// have no meaning in a vCard and are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.trim().chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' | ',' | ';' => out.extend(['\\', letter]),
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' | '\r' => out.push_str("\\n"),
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_card_says_cannot_become_structure() {
        let card = Card {
            full_name: "Ana; Budi, \\ \r\nTEL:1".into(),
            phone: Some("+62 811-1111-111".into()),
            organization: Some("A;B".into()),
            email: Some("a@b.example\nEND:VCARD".into()),
            vcard: None,
        };
        assert_eq!(
            vcard(&card).lines().collect::<Vec<_>>(),
            [
                "BEGIN:VCARD",
                "VERSION:3.0",
                "N:;Ana\\; Budi\\, \\\\ \\nTEL:1;;;",
                "FN:Ana\\; Budi\\, \\\\ \\nTEL:1",
                "ORG:A\\;B",
                "TEL;type=CELL;type=VOICE;waid=628111111111:+628111111111",
                "EMAIL;type=INTERNET:a@b.example\\nEND:VCARD",
                "END:VCARD",
            ]
        );
    }

    #[test]
    fn a_number_without_its_country_leads_to_no_account() {
        assert_eq!(telephone("0811 111"), "TEL;type=CELL;type=VOICE:0811 111");
        assert_eq!(telephone("0062811111"), "TEL;type=CELL;type=VOICE;waid=62811111:+62811111");
    }

    #[test]
    fn a_complete_card_is_sent_as_it_is_and_gives_its_name() {
        let vcard = "BEGIN:VCARD\nVERSION:3.0\nFN;CHARSET=UTF-8:Ana\\, B\nEND:VCARD";
        let message = message(&[Card { vcard: Some(vcard.into()), ..Card::default() }]);
        let contact = message.contact_message.as_option().cloned().unwrap_or_default();
        assert_eq!(contact.vcard.as_deref(), Some(vcard));
        assert_eq!(contact.display_name.as_deref(), Some("Ana, B"));
    }
}
