//! Rhai's errors as [`Fault`]s, and faults of our functions as Rhai errors.

use rhai::{Dynamic, EvalAltResult, Position};
use warest_model::fault::Fault;

/// What a function of ours returns when a run cannot go on.
pub(super) type Stop = Box<EvalAltResult>;

/// Ends the run with `fault`; no `try` in a script catches it.
pub(super) fn stop(fault: Fault) -> Stop {
    EvalAltResult::ErrorTerminated(Dynamic::from(fault), Position::NONE).into()
}

/// An ordinary mistake in a script: `script_error` unless it is caught.
pub(super) fn wrong(message: impl Into<String>) -> Stop {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}

/// The token with which the progress callback ends a run.
pub(super) fn deadline(limit_ms: u128) -> Fault {
    Fault::fail(
        "script_deadline",
        format!("the script ran longer than {limit_ms} ms; a wait is `delay(ms)`, not a loop"),
    )
}

/// The fault of a run that ended with `error`.
pub(super) fn fault_of(error: &EvalAltResult) -> Fault {
    let inner = error.unwrap_inner();
    let place = match (place(inner.position()), place(error.position())) {
        (Some(place), _) | (None, Some(place)) => format!("{place}: "),
        (None, None) => String::new(),
    };
    let too_large = |what: &str| {
        Fault::fail("script_too_large", format!("{place}{what}; keep strings, lists, maps and scopes small"))
    };
    match inner {
        EvalAltResult::ErrorTerminated(token, _) => match token.clone().try_cast::<Fault>() {
            Some(fault) => Fault { message: format!("{place}{}", fault.message), ..fault },
            None => Fault::fail("script_error", format!("{place}the script was ended")),
        },
        EvalAltResult::ErrorTooManyOperations(_) => Fault::fail(
            "script_too_many_operations",
            format!("{place}the script did more operations than it may; look for an endless loop"),
        ),
        EvalAltResult::ErrorStackOverflow(_) => {
            Fault::fail("script_too_deep", format!("{place}functions call each other too deeply; use a loop instead"))
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => too_large(&format!("{what} is past its limit")),
        EvalAltResult::ErrorTooManyVariables(_) => too_large("too many variables at once"),
        other => {
            let message = match other {
                EvalAltResult::ErrorRuntime(value, _) => value.to_string(),
                // Rhai puts the place behind its sentence; ours stands before it.
                other => {
                    let text = other.to_string();
                    text.strip_suffix(&format!(" ({})", other.position())).unwrap_or(&text).to_owned()
                }
            };
            Fault::fail("script_error", format!("{place}{message}"))
        }
    }
}

/// `line 3, column 7`, if it is known.
fn place(position: Position) -> Option<String> {
    let line = position.line()?;
    Some(format!("line {line}, column {}", position.position().unwrap_or(1)))
}
