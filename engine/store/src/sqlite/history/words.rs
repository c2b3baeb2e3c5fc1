//! Words: what of a text is found by a search.
//!
//! A message is indexed by the beginnings of its words, of two and of four
//! characters, each behind the number of its chat: `12:ne`, `12:news`. A search
//! reads one such list from its newest end and looks at the texts themselves, so
//! what it costs depends on what it finds, and not on how much there is. All cutting
//! and folding is done here; the index takes its tokens as they are.

use std::collections::BTreeSet;

/// Of a text, this much is indexed, in characters.
const INDEXED: usize = 4_096;
/// Beginnings of one message, at most.
const MOST_HEADS: usize = 1_000;
/// Words of one search that are looked for.
const MOST_WORDS: usize = 16;
/// Characters of the long and of the short beginnings.
const HEADS: [usize; 2] = [4, 2];

/// The words of a text: without case, cut at whatever is neither letter nor digit.
/// Signs that are words by themselves stand alone.
pub(super) fn words(text: &str) -> Vec<String> {
    let end = text.char_indices().nth(INDEXED).map_or(text.len(), |(end, _)| end);
    let (mut found, mut word) = (Vec::new(), String::new());
    for c in text[..end].chars() {
        if !c.is_alphanumeric() || is_word(c) {
            if !word.is_empty() {
                found.push(std::mem::take(&mut word));
            }
            if is_word(c) {
                found.push(c.to_string());
            }
        } else {
            word.extend(c.to_lowercase().filter(|c| c.is_alphanumeric()));
        }
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

/// Whether a sign is a word, or may be one: scripts that put no spaces.
fn is_word(c: char) -> bool {
    matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x9fff | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff)
}

/// What a text is indexed by.
pub(super) fn heads(text: &str) -> Vec<String> {
    let mut heads = BTreeSet::new();
    for word in words(text) {
        for chars in HEADS {
            if let Some(head) = beginning(&word, chars) {
                heads.insert(head.to_owned());
            }
        }
        if word.chars().nth(1).is_none() {
            heads.insert(word);
        }
    }
    heads.into_iter().take(MOST_HEADS).collect()
}

/// The first `chars` characters, if there are so many.
fn beginning(word: &str, chars: usize) -> Option<&str> {
    let mut ends = word.char_indices().map(|(at, _)| at).chain([word.len()]);
    ends.nth(chars).map(|end| &word[..end])
}

/// The tokens of a message in the index.
pub(super) fn tokens(chat_no: i64, heads: &[String]) -> String {
    let mut tokens = String::new();
    for head in heads {
        if !tokens.is_empty() {
            tokens.push(' ');
        }
        tokens.push_str(&token(chat_no, head));
    }
    tokens
}

fn token(chat_no: i64, head: &str) -> String {
    format!("{chat_no}:{head}")
}

/// A search: words that must all begin words of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    words: Vec<String>,
}

impl Search {
    /// Reads what somebody is looking for; nothing fits if there is no word in it.
    pub(super) fn new(text: &str) -> Self {
        let mut words = words(text);
        words.truncate(MOST_WORDS);
        Self { words }
    }

    /// Expressions of the index, one for each word, each of which has every message
    /// that fits.
    pub(super) fn expressions(&self, chat_no: i64) -> Vec<String> {
        let head = |word: &String| {
            HEADS.iter().find_map(|chars| beginning(word, *chars)).map_or_else(|| word.clone(), str::to_owned)
        };
        // No head has a quote in it.
        let expressions: BTreeSet<_> =
            self.words.iter().map(|word| format!("\"{}\"", token(chat_no, &head(word)))).collect();
        expressions.into_iter().collect()
    }

    /// Whether a text fits. A word of one letter is found only as such.
    pub(super) fn fits(&self, text: &str) -> bool {
        let there = words(text);
        self.words.iter().all(|word| match word.chars().nth(1) {
            None => there.contains(word),
            Some(_) => there.iter().any(|of| of.starts_with(word.as_str())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_no_case_and_no_signs() {
        assert_eq!(words("Hi, ANA's “Größe”: 2x\n(x)"), ["hi", "ana", "s", "größe", "2x", "x"]);
        assert_eq!(words("犬 and 東京都"), ["犬", "and", "東", "京", "都"]);
        assert_eq!(words("👍 \" * : -- "), Vec::<String>::new());
    }

    #[test]
    fn every_search_that_fits_is_found_by_a_head() {
        let texts = ["Stored message 17", "a b", "né à Évry", "東京", "no", "non", "nope"];
        let searches = ["stored", "STO", "st", "mess", "1", "17", "17 message", "a", "n", "no", "évry", "京", "x", "é"];
        for text in texts {
            let tokens = tokens(7, &heads(text));
            let indexed: Vec<_> = tokens.split(' ').map(|token| format!("\"{token}\"")).collect();
            for search in searches {
                let (query, found) = (Search::new(search), Search::new(search).expressions(7));
                if query.fits(text) {
                    assert!(found.iter().all(|expression| indexed.contains(expression)), "{search:?} in {text:?}");
                }
            }
        }
        assert!(Search::new("17 MESSAGE").fits(texts[0]) && !Search::new("7").fits(texts[0]));
        assert!(Search::new("nó").expressions(1).iter().all(|of| of == "\"1:nó\""));
    }

    #[test]
    fn what_looks_like_the_index_own_language_is_cut_away() {
        for text in ["\" OR 1:x", "a\" NEAR(b", "12:abcd*", "^x -y", "{a} : b"] {
            for expression in Search::new(text).expressions(3) {
                let inner = &expression[1..expression.len() - 1];
                assert!(inner.starts_with("3:") && !inner[2..].contains([':', '"', ' ', '*']), "{expression}");
            }
        }
        assert!(Search::new("!?").expressions(1).is_empty());
    }

    #[test]
    fn a_long_text_is_indexed_in_part() {
        let text = "w ".repeat(5_000) + "end";
        assert!(!Search::new("end").fits(&text));
        let many: String = (0..3_000).map(|n| format!("{n} ")).collect();
        assert!(heads(&many).len() <= MOST_HEADS);
    }
}
