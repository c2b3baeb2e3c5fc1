//! Commands: words that a session's people may write to its bot.
//!
//! A message that begins with a prefix and a registered name is an event of its
//! own, `message_command`, with its arguments taken apart.

use serde::{Deserialize, Serialize};

/// Longest name or alias, in characters.
const NAME_CHARS: usize = 64;
/// Most commands of a session.
pub const COMMANDS: usize = 500;
/// Most arguments that are told apart; the rest is the last one.
const ARGUMENTS: usize = 100;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Command {
    /// Its name, without a prefix; case does not matter.
    pub name: String,
    /// Other names for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// For the operator.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// The commands of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandBook {
    /// What a command begins with; an empty one means that the name alone is enough.
    #[serde(default = "slash")]
    pub prefixes: Vec<String>,
    /// The commands.
    #[serde(default)]
    pub commands: Vec<Command>,
}

impl Default for CommandBook {
    fn default() -> Self {
        Self { prefixes: slash(), commands: Vec::new() }
    }
}

fn slash() -> Vec<String> {
    vec!["/".to_owned()]
}

/// A book that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A name that nobody could write.
    #[error("\"{0}\" is not a command's name: 1 to {NAME_CHARS} characters without spaces")]
    Name(String),
    /// Two commands with one name.
    #[error("the command \"{0}\" is there twice; names and aliases must differ")]
    Twice(String),
    /// Too many.
    #[error("a session may have at most {COMMANDS} commands")]
    TooMany,
    /// A prefix that nobody would write.
    #[error("1 to 10 prefixes of at most 8 characters without letters, digits and spaces are allowed")]
    Prefix,
}

/// A command that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invocation {
    /// The prefix it was written with.
    pub prefix: String,
    /// The command, by its proper name.
    pub name: String,
    /// The word that was written.
    pub alias: String,
    /// What follows, taken apart at spaces; quotes hold words together.
    pub args: Vec<String>,
    /// What follows, as it was written.
    pub text: String,
}

impl CommandBook {
    /// Refuses a book that would not do what its author thinks.
    pub fn check(&self) -> Result<(), CommandError> {
        let odd = |prefix: &String| {
            prefix.chars().count() > 8 || prefix.chars().any(|c| c.is_alphanumeric() || c.is_whitespace())
        };
        if self.prefixes.is_empty() || self.prefixes.len() > 10 || self.prefixes.iter().any(odd) {
            return Err(CommandError::Prefix);
        }
        if self.commands.len() > COMMANDS {
            return Err(CommandError::TooMany);
        }
        let mut names = std::collections::HashSet::new();
        for name in self.commands.iter().flat_map(|command| std::iter::once(&command.name).chain(&command.aliases)) {
            if name.is_empty() || name.chars().count() > NAME_CHARS || name.chars().any(char::is_whitespace) {
                return Err(CommandError::Name(name.chars().take(NAME_CHARS).collect()));
            }
            if !names.insert(name.to_lowercase()) {
                return Err(CommandError::Twice(name.clone()));
            }
        }
        Ok(())
    }

    /// The command that `text` is, if it is one.
    pub fn find(&self, text: &str) -> Option<Invocation> {
        let text = text.trim_start();
        // The longest prefix that fits, so that "!!" and "!" can stand together.
        let prefix = self.prefixes.iter().filter(|prefix| text.starts_with(prefix.as_str())).max_by_key(|p| p.len())?;
        let rest = &text[prefix.len()..];
        let (word, tail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let wanted = word.to_lowercase();
        let command = self.commands.iter().find(|command| {
            std::iter::once(&command.name).chain(&command.aliases).any(|name| name.to_lowercase() == wanted)
        })?;
        let tail = tail.trim();
        Some(Invocation {
            prefix: prefix.clone(),
            name: command.name.clone(),
            alias: word.to_owned(),
            args: arguments(tail),
            text: tail.to_owned(),
        })
    }
}

/// Words, with those in quotes held together.
fn arguments(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if found.len() + 1 == ARGUMENTS {
            found.push(rest.to_owned());
            break;
        }
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '“'));
        let closed = quote.and_then(|quote| {
            let inner = &rest[quote.len_utf8()..];
            let end = inner.find(if quote == '“' { '”' } else { quote })?;
            let after = &inner[end..];
            let after = &after[after.chars().next().map_or(0, char::len_utf8)..];
            (after.is_empty() || after.starts_with(char::is_whitespace)).then_some((&inner[..end], after))
        });
        let (word, after) =
            closed.unwrap_or_else(|| rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())));
        found.push(word.to_owned());
        rest = after.trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn book() -> CommandBook {
        let command = |name: &str, aliases: &[&str]| Command {
            name: name.into(),
            aliases: aliases.iter().map(|&alias| alias.into()).collect(),
            description: String::new(),
        };
        CommandBook {
            prefixes: vec!["/".into(), "!".into(), "!!".into()],
            commands: vec![command("order", &["beli"]), command("help", &[])],
        }
    }

    #[test]
    fn a_command_is_found_by_name_or_alias_with_its_arguments() {
        let found = book().find("  /Beli 2 \"nasi goreng\" it's").unwrap();
        assert_eq!((found.name.as_str(), found.alias.as_str(), found.prefix.as_str()), ("order", "Beli", "/"));
        assert_eq!(found.args, ["2", "nasi goreng", "it's"]);
        assert_eq!(found.text, "2 \"nasi goreng\" it's");
        assert_eq!(book().find("!!help").unwrap().prefix, "!!");
        assert_eq!(book().find("/order \"open").unwrap().args, ["\"open"]);
    }

    #[test]
    fn what_is_no_command_is_left_alone() {
        for text in ["order 2", "/orders", "hello /help", "/", ""] {
            assert_eq!(book().find(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_book_that_would_not_work_is_refused() {
        let mut twice = book();
        twice.commands[1].aliases.push("ORDER".into());
        assert_eq!(twice.check(), Err(CommandError::Twice("ORDER".into())));
        let mut spaced = book();
        spaced.commands[0].name = "a b".into();
        assert_eq!(spaced.check(), Err(CommandError::Name("a b".into())));
        let none = CommandBook { prefixes: vec!["x".into()], ..book() };
        assert_eq!(none.check(), Err(CommandError::Prefix));
        assert_eq!(book().check(), Ok(()));
    }
}
