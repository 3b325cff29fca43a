//! Reports to the referee, on the wire.

use mpc::{
    ids::RunId,
    ring::{
        referee::{Report, Signed},
        slip::{self, Slip},
    },
};
use proto::v1::{self, ring_report::Says};

use super::{Malformed, Result, announcement, bytes, lane, limit, said_by, signature, write_lane};

pub(super) fn read(run: RunId, report: v1::RingReport) -> Result<Report> {
    Ok(match report.says.ok_or(Malformed("a report"))? {
        Says::Delivered(v1::RingDelivered { slip, acknowledgement }) => {
            let Signed { slip, signature: sent } = signed(run, slip)?;
            let acknowledgement = signature(&acknowledgement)?;
            Report::Delivered { slip, signature: sent, acknowledgement }
        }
        Says::Garbage(v1::RingGarbage { slip, body }) => {
            limit(body.len(), slip::MOST, "a body")?;
            let Signed { slip, signature } = signed(run, slip)?;
            Report::Garbage { slip, signature, body: body.to_vec() }
        }
        Says::Twice(v1::RingTwice { first, second }) => {
            Report::Twice { first: signed(run, first)?, second: signed(run, second)? }
        }
        Says::AnnouncedTwice(v1::RingAnnouncedTwice { first, second }) => {
            let read = |said: Option<v1::RingAnnouncement>| {
                announcement(&said.ok_or(Malformed("an announcement"))?)
            };
            Report::AnnouncedTwice { first: read(first)?, second: read(second)? }
        }
        Says::Missing(of) => Report::Missing(lane(Some(of))?),
        Says::Refused(of) => Report::Refused(lane(Some(of))?),
    })
}

pub(super) fn write(run: RunId, report: &Report) -> v1::RingReport {
    let says = match report {
        Report::Delivered { slip, signature, acknowledgement } => {
            Says::Delivered(v1::RingDelivered {
                slip: Some(write_signed(&Signed { slip: *slip, signature: *signature })),
                acknowledgement: acknowledgement.0.to_vec().into(),
            })
        }
        Report::Garbage { slip, signature, body } => Says::Garbage(v1::RingGarbage {
            slip: Some(write_signed(&Signed { slip: *slip, signature: *signature })),
            body: body.clone().into(),
        }),
        Report::Twice { first, second } => Says::Twice(v1::RingTwice {
            first: Some(write_signed(first)),
            second: Some(write_signed(second)),
        }),
        Report::AnnouncedTwice { first, second } => Says::AnnouncedTwice(v1::RingAnnouncedTwice {
            first: Some(said_by(run, first)),
            second: Some(said_by(run, second)),
        }),
        Report::Missing(lane) => Says::Missing(write_lane(*lane)),
        Report::Refused(lane) => Says::Refused(write_lane(*lane)),
    };
    v1::RingReport { run: bytes(run), says: Some(says) }
}

/// A slip of this round: pupils speak of no other.
fn signed(run: RunId, slip: Option<v1::RingSlip>) -> Result<Signed> {
    let slip = slip.ok_or(Malformed("a slip"))?;
    let digest = slip.digest[..].try_into().map_err(|_| Malformed("a digest"))?;
    let signature = signature(&slip.signature)?;
    Ok(Signed { slip: Slip { run, lane: lane(slip.lane)?, digest }, signature })
}

fn write_signed(signed: &Signed) -> v1::RingSlip {
    v1::RingSlip {
        lane: Some(write_lane(signed.slip.lane)),
        digest: signed.slip.digest.to_vec().into(),
        signature: signed.signature.0.to_vec().into(),
    }
}
