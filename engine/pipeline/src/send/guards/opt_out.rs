//! The opt-out list: which words are heard, and who is not written to.

use super::policy::OptOut;

/// What a message says about being written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Nothing any more.
    Stop,
    /// They may be written to again.
    Start,
}

impl OptOut {
    /// What a whole message says; a word within a sentence says nothing.
    pub fn heard(&self, text: &str) -> Option<Word> {
        if !self.enabled {
            return None;
        }
        let folded = fold(text);
        let among = |words: &[String]| words.iter().any(|word| fold(word) == folded);
        match (among(&self.stop_words), among(&self.start_words)) {
            (true, _) => Some(Word::Stop),
            (false, true) => Some(Word::Start),
            (false, false) => None,
        }
    }
}

fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::policy::Policy;
    use super::*;

    #[test]
    fn only_a_whole_message_is_a_word() {
        let list = Policy::default().opt_out;
        for stop in ["STOP", " stop\n", "Berhenti", "СТОП", "Arrêt", "退订"] {
            assert_eq!(list.heard(stop), Some(Word::Stop), "{stop:?}");
        }
        for start in ["Start", "MULAI "] {
            assert_eq!(list.heard(start), Some(Word::Start), "{start:?}");
        }
        for other in ["please stop", "stop it", "", "stopp!", "restart"] {
            assert_eq!(list.heard(other), None, "{other:?}");
        }
        assert_eq!(OptOut { enabled: false, ..list }.heard("stop"), None);
    }

    #[test]
    fn a_word_that_is_both_stops() {
        let list = OptOut { start_words: vec!["Stop".into()], ..Policy::default().opt_out };
        assert_eq!(list.heard("stop"), Some(Word::Stop));
    }
}
