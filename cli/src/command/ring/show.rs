//! Show: a round on a terminal of 80 columns.

use client::ring::{finding::Finding, host::Played, name::list, round::Outcome, scale::Scale};
use mpc::ring::{Message, Protocol, Seat};

use super::local::Seen;
use crate::report;

const WIDTH: usize = 80;
/// Digits of the largest masked number.
const DIGITS: usize = 20;

/// How a pupil is called, and its number when only that fits.
pub type Name<'a> = &'a dyn Fn(Seat) -> String;

/// What is about to happen.
pub fn opening(protocol: Protocol, pupils: usize) -> String {
    let how = match protocol {
        Protocol::Ring => {
            "Each adds its value to what it receives and passes it on; P1 begins with a random mask."
        }
        Protocol::Rings => {
            "Each splits its value into random shares and adds one share in each ring."
        }
        Protocol::Shares => {
            "Each splits its value into random shares and sends one to every other."
        }
    };
    let text = format!(
        "{pupils} pupils on this machine, each a gRPC peer of its own, with TLS between any two. \
         {how} Numbers are modulo 2^64."
    );
    format!("{}\n", wrap(&text, 0))
}

/// The line above the messages.
pub fn header(protocol: Protocol) -> String {
    let ring = if protocol == Protocol::Rings { "ring  " } else { "" };
    format!("  no.  {ring}sender    receiver  {:>DIGITS$}", "masked number")
}

/// A message on a line.
pub fn message(protocol: Protocol, number: usize, message: &Message, name: Name<'_>) -> String {
    let ring = match protocol {
        Protocol::Rings => format!("{:>4}  ", u32::from(message.lane.ring) + 1),
        Protocol::Ring | Protocol::Shares => String::new(),
    };
    let (from, to) = (name(message.lane.from), name(message.lane.to));
    format!("{number:>5}  {ring}{from:<6} →  {to:<8}  {:>DIGITS$}", message.value)
}

/// What was announced, the average, and what everybody knows at the end.
pub fn result(played: &Played, seen: &Seen) -> String {
    let round = &played.round;
    let scale = round.scale();
    let name = |seat: Seat| round.pupil(seat).id.to_string();
    let mut text = String::from("\n");
    match round.plan().protocol() {
        Protocol::Ring | Protocol::Rings => {
            let first = name(Seat(0));
            text.push_str(&format!(
                "{first} takes its mask{} away and announces the total: {}\n",
                if round.plan().rings().len() == 1 { "" } else { "s" },
                scale.show(played.outcome.total)
            ));
        }
        Protocol::Shares => {
            text.push_str("everybody announces the sum of the shares that it holds:\n");
            let mut said: Vec<_> = seen.announcements.iter().collect();
            said.sort_unstable();
            for announcement in said {
                let who = name(announcement.from);
                text.push_str(&format!("  {who:<6}{:>DIGITS$}\n", announcement.value));
            }
            let total = scale.show(played.outcome.total);
            text.push_str(&format!("their sum modulo 2^64 is the total: {total}\n"));
        }
    }
    text.push_str(&format!("\n{}\n\n{}", average(&played.outcome, scale), knowledge(played, seen)));
    text
}

/// The average in words.
pub fn average(outcome: &Outcome, scale: &Scale) -> String {
    let digits = usize::from(scale.decimals()) + 3;
    format!("average of {} pupils: {:.digits$}", outcome.pupils, outcome.average)
}

/// What each pupil knows.
fn knowledge(played: &Played, seen: &Seen) -> String {
    let scale = played.round.scale();
    let is_one_ring = played.round.plan().protocol() == Protocol::Ring;
    let numbers = |messages: &[Message]| match messages {
        [message] if is_one_ring => message.value.to_string(),
        [_] => "1 number".to_owned(),
        many => format!("{} numbers", many.len()),
    };
    let rows = seen.learned.iter().map(|(id, learned)| {
        let own = learned.view.value.cast_signed();
        vec![
            id.to_string(),
            scale.show(own),
            numbers(&learned.view.received),
            numbers(&learned.view.sent),
            scale.show(learned.outcome.total - own),
        ]
    });
    let header = ["pupil", "own", "received", "sent", "others' sum"];
    format!(
        "what each pupil knows at the end, besides the average\n{}\n{}",
        report::table(&header, 1, rows),
        wrap(&looks_random(played.round.plan().protocol()), 0)
    )
}

/// Why nobody knows more. P1 knows the masks, and so what is behind them: sums of all.
fn looks_random(protocol: Protocol) -> String {
    let except = match protocol {
        Protocol::Ring => ", except to P1, which takes its mask away and has the total",
        Protocol::Rings => {
            ", except to P1, which takes its masks away and has what the shares of each ring add up to"
        }
        Protocol::Shares => "",
    };
    format!(
        "Every number that was received looks random{except}. So nobody learns more about any \
         single other pupil than the total tells."
    )
}

/// What colluders learned, step by step.
pub fn finding(finding: &Finding) -> String {
    let headline = match finding.colluders.as_slice() {
        [one] => format!("{one} looks at what it saw"),
        several => format!("{} put together what they saw", list(several)),
    };
    let mut text = format!("\n{}\n\n", wrap(&headline, 0));
    if let Some((conclusion, steps)) = finding.steps.split_last() {
        for (step, number) in steps.iter().zip(1..) {
            text.push_str(&format!("{number:>3}. {}\n", wrap(step, 5)));
        }
        text.push_str(&format!("\n{}\n", wrap(conclusion, 0)));
    }
    text
}

/// A text in lines that fit, all but the first `indent` columns to the right.
pub fn wrap(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut used = indent;
    for word in text.split_whitespace() {
        let len = word.chars().count();
        if used > indent && used + 1 + len > WIDTH {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            used = indent;
        } else if used > indent {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += len;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_longer_than_the_terminal_and_lose_no_word() {
        let text = "word ".repeat(60);
        for indent in [0, 5] {
            let wrapped = wrap(&text, indent);
            assert!(wrapped.lines().count() > 3);
            let widest = wrapped.lines().map(|line| line.chars().count()).max();
            assert!(widest.unwrap() <= WIDTH);
            assert_eq!(wrapped.split_whitespace().count(), 60);
        }
    }
}
