//! The job `ring`: the lesson of the classroom on one machine: the ring, the attack, the repair, and
//! the direct sharing.

use std::time::Duration;

use client::ring::{name::PupilId, scale::Scale};
use mpc::ring::Protocol;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    command::ring::{Document, Grades, LocalClass, play},
    failure::Failure,
    report::{self, Format},
};

const COLLUDERS: [PupilId; 2] = [PupilId(3), PupilId(5)];
const SILENCE: Duration = Duration::from_secs(20);

/// The rounds of the lesson.
#[derive(Serialize)]
struct Lesson {
    rounds: Vec<Document>,
}

/// Plays the lesson with the class that comes with the program.
pub async fn run(format: Format, stop: &CancellationToken) -> Result<(), Failure> {
    let scale = Scale::new("0", "100", 1)?;
    let grades = Grades::shipped(&scale)?;
    let mut class = tokio::select! {
        () = stop.cancelled() => return Err(Failure::ClassInterrupted("the lesson is over: it begins from the start")),
        class = LocalClass::start(&scale, &grades, SILENCE, None) => class?,
    };
    let outcome = lesson(&mut class, format, stop).await;
    class.end().await;
    let rounds = outcome?;
    match format {
        Format::Text => Ok(()),
        Format::Json => report::print(&report::json(&Lesson { rounds })?),
    }
}

async fn lesson(
    class: &mut LocalClass,
    format: Format,
    stop: &CancellationToken,
) -> Result<Vec<Document>, Failure> {
    let mut rounds = Vec::new();
    for (protocol, number) in Protocol::ALL.into_iter().zip(1..) {
        if format == Format::Text {
            report::print(&format!("{}{number}. {}\n", separator(number), title(protocol)))?;
        }
        rounds.push(play(class, protocol, &COLLUDERS, None, format, stop).await?);
    }
    Ok(rounds)
}

fn separator(number: usize) -> String {
    if number == 1 { String::new() } else { format!("\n{}\n\n", "─".repeat(80)) }
}

fn title(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Ring => "One ring: 20 pupils pass a masked sum around; P3 and P5 attack P4",
        Protocol::Rings => "The repair: shares over edge-disjoint rings; P3 and P5 try again",
        Protocol::Shares => "Direct sharing: a share from everybody to everybody; once more",
    }
}
