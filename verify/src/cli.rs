//! The command line of `timeloom-verify`, which `timeloom audit verify` has as well: exits with 0 when all of an export is
//! proved, 1 when something is wrong, 2 when nothing could be checked.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::check::{Known, Report, check};
use crate::key::{PublicKey, time_text};

/// Check an export of a Timeloom log: no server, no network
#[derive(Debug, Parser)]
#[command(name = "timeloom-verify", version)]
pub struct Arguments {
    /// The folder of the export.
    export: PathBuf,
    /// A key of the log, or a file of them. Take it from whom you trust with it, never from the export.
    #[arg(long, value_name = "KEY|FILE", required = true)]
    key: Vec<String>,
    /// A checkpoint that you kept of an earlier check: the history is found to be the same, or told to be another.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// A key of a witness, or a file of them.
    #[arg(long, value_name = "KEY|FILE")]
    witness: Vec<String>,
    /// How many of these witnesses must have seen the checkpoint.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    witnesses_min: usize,
    /// Write the checkpoint here when all is proved, to give it with --checkpoint the next time.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    /// Do not tell how far it is.
    #[arg(long)]
    quiet: bool,
}

/// What an export is found to be; the status to exit with.
pub fn main(arguments: &Arguments) -> ExitCode {
    match run(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            tell(&format!("error: {message}"));
            ExitCode::from(2)
        }
    }
}

/// Checks an export and answers; whether all of it is proved.
///
/// # Errors
/// Why nothing could be checked.
pub fn run(arguments: &Arguments) -> Result<bool, String> {
    let kept = |path: &PathBuf| Ok::<_, String>((path.display().to_string(), text_of(path)?));
    let known = Known {
        keys: keys(&arguments.key)?,
        kept: arguments.checkpoint.iter().map(kept).collect::<Result<_, _>>()?,
        witnesses: keys(&arguments.witness)?,
        witnesses_min: arguments.witnesses_min,
    };
    let began = Instant::now();
    let mut progress = Progress { is_shown: !arguments.quiet, at_terminal: std::io::stderr().is_terminal(), next: 10 };
    let report = check(&arguments.export, &known, |done, all| progress.show(done, all));
    progress.end();
    let report = report.map_err(|error| error.to_string())?;
    let seconds = began.elapsed().as_secs_f64();
    if arguments.json {
        answer(&json(&report, seconds));
    } else {
        answer(&text(&report, seconds));
    }
    if let (true, Some(path), Some(note)) = (report.is_proved(), &arguments.keep, &report.note) {
        std::fs::write(path, note).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    Ok(report.is_proved())
}

/// Keys as they are given: themselves, or files of them.
///
/// # Errors
/// What is wrong with one, in words.
pub fn keys(given: &[String]) -> Result<Vec<PublicKey>, String> {
    let mut keys = Vec::new();
    for given in given {
        let parsed = match given.matches('+').count() {
            0 | 1 => PublicKey::parse_all(&text_of(Path::new(given))?),
            _ if Path::new(given).exists() => PublicKey::parse_all(&text_of(Path::new(given))?),
            _ => PublicKey::parse_all(given),
        };
        keys.extend(parsed.map_err(|error| format!("{given}: {error}"))?);
    }
    Ok(keys)
}

fn text_of(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

fn json(report: &Report, seconds: f64) -> String {
    let mut json = serde_json::to_value(report).unwrap_or_default();
    json["proved"] = report.is_proved().into();
    json["seconds"] = ((seconds * 1_000.0).round() / 1_000.0).into();
    json.to_string()
}

fn text(report: &Report, seconds: f64) -> String {
    let mut lines: Vec<String> = report
        .findings
        .iter()
        .map(|finding| {
            let place = match (finding.from, finding.to) {
                (Some(from), Some(to)) if from == to => format!("position {from}: "),
                (Some(from), Some(to)) => format!("positions {from} to {to}: "),
                _ => String::new(),
            };
            format!("{:?}: {place}{}", finding.kind, finding.detail)
        })
        .collect();
    let untold = report.finding_count - report.findings.len() as u64;
    if untold > 0 {
        lines.push(format!("and {untold} more"));
    }
    let rate = report.events as f64 / seconds.max(0.001);
    lines.push(format!("{} events were read in {seconds:.1} s, {rate:.0} events/s", report.events));
    if !report.is_proved() {
        lines.push(format!("NOT PROVED: {} findings", report.finding_count));
        return lines.join("\n");
    }
    let time = report.recorded_at_us.map(time_text).unwrap_or_default();
    lines.push(format!(
        "PROVED: events {} to {} are in the tree of {} events, signed up to {time} by {}",
        report.from,
        report.to,
        report.tree_size,
        report.signed_by.as_deref().unwrap_or_default()
    ));
    if report.payloads > 0 {
        lines.push(format!("{} payloads beside them are those that were recorded", report.payloads));
    }
    lines.push(match report.kept.as_slice() {
        [] => "no earlier checkpoint was given: keep this one (--keep FILE) and give it the next time".to_owned(),
        kept => format!("the same history as the checkpoints that were kept: {kept:?}"),
    });
    if !report.witnesses.is_empty() {
        lines.push(format!("seen by {}", report.witnesses.join(", ")));
    }
    lines.join("\n")
}

struct Progress {
    is_shown: bool,
    at_terminal: bool,
    /// Percent at which the next line is due.
    next: u64,
}

impl Progress {
    fn show(&mut self, done: u64, all: u64) {
        let percent = done.saturating_mul(100).checked_div(all).unwrap_or(100);
        if !self.is_shown {
        } else if self.at_terminal {
            let _ = write!(std::io::stderr(), "\r{percent:>3} % of {all} events");
        } else if percent >= self.next {
            tell(&format!("checking: {done} of {all} events"));
            self.next = percent / 10 * 10 + 10;
        }
    }

    fn end(&self) {
        if self.is_shown && self.at_terminal {
            let _ = write!(std::io::stderr(), "\r{:40}\r", "");
        }
    }
}

/// A reader that went away is no error.
fn answer(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
