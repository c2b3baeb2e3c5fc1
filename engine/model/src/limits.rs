//! Bounds on what a guest, a peer or a client can make the engine hold.
//!
//! Every limit that more than one room must agree on lives here; limits that
//! concern one room alone live beside the code that enforces them.

/// Most nodes (leaves and branches together) a plan may have.
pub const PLAN_NODES: usize = 1_000;
/// Deepest nesting of a plan; the root list is depth 0.
pub const PLAN_DEPTH: usize = 32;
/// Largest plan a reactor may hand over, in bytes of its JSON form.
pub const PLAN_BYTES: usize = 1 << 20;
/// Longest text of a message, in characters (WhatsApp's own limit).
pub const TEXT_CHARS: usize = 65_536;
/// Longest caption, in characters.
pub const CAPTION_CHARS: usize = 1_024;
/// Longest small print below buttons and lists, in characters.
pub const FOOTER_CHARS: usize = 60;
/// Longest URL that is fetched or shown, in bytes.
pub const URL_BYTES: usize = 2_048;
/// Longest vCard, in characters.
pub const VCARD_CHARS: usize = 16_384;
/// Most cards in one message.
pub const CARDS: usize = 50;
/// Most options of a poll (WhatsApp's own limit).
pub const POLL_OPTIONS: usize = 12;
/// Most buttons, or lists, of one message.
pub const BUTTONS: usize = 10;
/// Most sections of one list.
pub const LIST_SECTIONS: usize = 10;
/// Most rows of one list, in all its sections.
pub const LIST_ROWS: usize = 100;
/// Longest side that a picture is scaled to, in pixels.
pub const IMAGE_SIDE: u32 = 8_192;
/// Longest raw message that an action may carry, in bytes of its JSON form.
pub const RAW_BYTES: usize = 256 << 10;
/// Most recipients one send action may name.
pub const RECIPIENTS: usize = 256;
/// Most keys one `read` action may name.
pub const READ_KEYS: usize = 256;
/// Longest delay, pause or backoff: 30 days, in milliseconds.
pub const DELAY_MS: u64 = 30 * 24 * 3_600 * 1_000;
/// Most attempts of a `retry`.
pub const RETRY_ATTEMPTS: u32 = 20;
/// Most bytes of state one reactor may keep for one chat (keys and values).
pub const STATE_BYTES: usize = 64 << 10;
/// Largest webhook answer that is read, in bytes.
pub const ANSWER_BYTES: usize = 1 << 20;
/// Of a webhook answer, this much is kept with the attempt, in bytes.
pub const ANSWER_KEPT_BYTES: usize = 4 << 10;
/// Longest flow script, in bytes.
pub const SCRIPT_BYTES: usize = 256 << 10;
/// Largest plugin file, in bytes.
pub const PLUGIN_BYTES: usize = 16 << 20;
/// Longest error text that is kept with a row, in characters.
pub const ERROR_CHARS: usize = 2_000;

/// Cuts `text` to [`ERROR_CHARS`], on a character boundary.
pub fn clip_error(text: &str) -> String {
    match text.char_indices().nth(ERROR_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
