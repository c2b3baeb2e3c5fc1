//! What the doctor says: lines for people as it goes, or one JSON object.

use serde_json::{Value, json};
use std::io::IsTerminal;
use std::process::ExitCode;
use warest_store::inspect::{Finding, Outcome};

/// Exit code: something was found.
const FOUND: u8 = 1;
/// Exit code: not everything could be looked at.
pub const COULD_NOT_LOOK: u8 = 2;

/// What was said so far.
pub struct Report {
    json: bool,
    fix: bool,
    checks: usize,
    findings: Vec<(&'static str, Finding)>,
    unknown: Vec<(&'static str, String)>,
}

impl Report {
    /// A report in words, or as JSON.
    pub fn begin(json: bool, fix: bool) -> Self {
        Self { json, fix, checks: 0, findings: Vec::new(), unknown: Vec::new() }
    }

    /// Takes down how a check went.
    pub fn add(&mut self, check: &'static str, outcome: Outcome) {
        self.checks += 1;
        match outcome {
            Outcome::Sound => self.say(&format!("ok     {check}")),
            Outcome::Unknown(why) => {
                self.say(&format!("?      {check}: {why}"));
                self.unknown.push((check, why));
            }
            Outcome::Found(finding) => {
                self.say(&format!("FOUND  {check}: {}", in_words(&finding)));
                self.say(&format!("       {}", self.what_to_do(&finding)));
                self.findings.push((check, finding));
            }
        }
    }

    /// Says that there was no looking.
    pub fn could_not_look(&self, why: &str) {
        if self.json {
            say!("{}", json!({ "sound": null, "error": why }));
        } else {
            eprintln!("warest doctor: {why}");
        }
    }

    /// Ends the report; the exit code.
    pub fn end(self) -> ExitCode {
        let sound = self.findings.is_empty() && self.unknown.is_empty();
        if self.json {
            let findings: Vec<Value> = self.findings.iter().map(|(check, finding)| as_json(check, finding)).collect();
            let unknown: Vec<Value> =
                self.unknown.iter().map(|(check, why)| json!({ "check": check, "why": why })).collect();
            say!("{}", json!({ "sound": sound, "checks": self.checks, "findings": findings, "unknown": unknown }));
        } else {
            say!(
                "{} checks: {} found something, {} could not be done",
                self.checks,
                self.findings.len(),
                self.unknown.len()
            );
        }
        match (self.findings.is_empty(), self.unknown.is_empty()) {
            (false, _) => ExitCode::from(FOUND),
            (true, false) => ExitCode::from(COULD_NOT_LOOK),
            (true, true) => ExitCode::SUCCESS,
        }
    }

    fn what_to_do(&self, finding: &Finding) -> String {
        match finding.repaired {
            Some(count) => format!("repaired: {count}"),
            None if self.fix => format!("not repaired: {}", finding.remedy),
            None => finding.remedy.clone(),
        }
    }

    /// As it goes, so that a long look shows where it is.
    fn say(&self, line: &str) {
        if !self.json {
            say!("{line}");
        } else if std::io::stderr().is_terminal() {
            eprintln!("{line}");
        }
    }
}

fn in_words(finding: &Finding) -> String {
    if finding.count == 0 {
        return finding.what.clone();
    }
    let more = if finding.more { "more than " } else { "" };
    let rest = if finding.count > finding.examples.len() || finding.more { ", …" } else { "" };
    format!("{more}{} {}: {}{rest}", finding.count, finding.what, finding.examples.join(", "))
}

fn as_json(check: &str, finding: &Finding) -> Value {
    json!({
        "check": check,
        "what": finding.what,
        "count": finding.count,
        "more": finding.more,
        "examples": finding.examples,
        "remedy": finding.remedy,
        "repaired": finding.repaired,
    })
}
