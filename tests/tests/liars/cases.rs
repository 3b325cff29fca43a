//! The lies that are told: one for every message of every protocol, and some to one peer alone.

use mpc::transcript::Step;
use sotto_tests::{
    Falsehood, Lie,
    liar::{first_bit, last_bit, no_noise, shorter},
};

/// How the liar comes to its lie.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// It falsifies a message.
    Says(Lie),
    /// It adds 1 to its result share, and keeps to the protocol with that.
    AddsOne,
    /// It deletes a submission that it has given a receipt for.
    Deletes,
}

/// What the study asks for, as far as it decides which messages there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// One sum.
    Sum,
    /// Sums by group, where small groups stay closed.
    SmallCells,
    /// One sum with noise.
    Noise,
}

/// One liar.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What it does, for the table: "beta …".
    pub does: &'static str,
    /// How.
    pub way: Way,
    /// In which study.
    pub asks: Asks,
    /// Whether some server lacks a submission, so that lists are exchanged.
    pub lists: bool,
}

impl Case {
    fn says(does: &'static str, lie: Lie) -> Self {
        Self { does, way: Way::Says(lie), asks: Asks::Sum, lists: false }
    }

    /// Whether the liar is silent, so that the others wait.
    pub fn is_silent(&self) -> bool {
        matches!(self.way, Way::Says(Lie { what: Falsehood::Silence, .. }))
    }

    /// Whether the lie is told before there is a verify key.
    pub fn is_in_setup(&self) -> bool {
        let setup = [Step::KeyCommit, Step::KeyReveal, Step::KeyConfirm];
        matches!(self.way, Way::Says(lie) if setup.contains(&lie.step))
    }

    /// Whether the lie is told before the study closes.
    pub fn is_in_verification(&self) -> bool {
        matches!(self.way, Way::Says(lie) if lie.step == Step::Verify)
    }
}

/// All of them, in the order of the protocols.
pub fn all() -> Vec<Case> {
    use Falsehood::{Body, Chain, Replayed, Silence};
    use Step::{
        Commit, KeyCommit, KeyConfirm, KeyReveal, Lists, Noise, Open, Result, Roots, Set, Verify,
    };
    let one = |step, what| Lie::to_one("gamma", step, what);
    let with = |asks, case: Case| Case { asks, ..case };
    vec![
        Case::says(
            "commits to different contributions to the verify key",
            one(KeyCommit, Body(last_bit)),
        ),
        Case::says(
            "reveals another contribution than it committed to",
            Lie::to_all(KeyReveal, Body(last_bit)),
        ),
        Case::says("confirms another verify key", Lie::to_all(KeyConfirm, Body(last_bit))),
        Case::says("sends no contribution", Lie::to_all(KeyReveal, Silence)),
        Case::says("changes a verifier share", Lie::to_all(Verify, Body(last_bit))),
        Case::says("changes a verifier share towards one server", one(Verify, Body(last_bit))),
        Case::says("sends verifier shares that are none", Lie::to_all(Verify, Body(shorter))),
        Case {
            does: "deletes a submission after its receipt",
            way: Way::Deletes,
            asks: Asks::Sum,
            lists: false,
        },
        Case::says("signs another root", Lie::to_all(Roots, Body(first_bit))),
        Case::says("signs another root towards one server", one(Roots, Body(first_bit))),
        Case {
            lists: true,
            ..Case::says(
                "sends another list than the one under its root",
                Lie::to_all(Lists, Body(last_bit)),
            )
        },
        Case {
            lists: true,
            ..Case::says("sends another list to one server", one(Lists, Body(last_bit)))
        },
        Case::says("signs another set", Lie::to_all(Set, Body(last_bit))),
        Case::says("signs another set towards one server", one(Set, Body(last_bit))),
        Case::says("signs a message onto a stale transcript", Lie::to_all(Set, Chain)),
        Case::says("signs a message onto a stale transcript, towards one server", one(Set, Chain)),
        with(
            Asks::Noise,
            Case::says(
                "changes its noise after the commitment",
                Lie::to_all(Noise, Body(no_noise)),
            ),
        ),
        with(
            Asks::Noise,
            Case::says("commits to different noise towards one server", one(Noise, Body(no_noise))),
        ),
        Case {
            does: "opens a wrong result share, with commitments to match",
            way: Way::AddsOne,
            asks: Asks::Sum,
            lists: false,
        },
        Case {
            does: "opens a wrong result share while small cells stay closed",
            way: Way::AddsOne,
            asks: Asks::SmallCells,
            lists: false,
        },
        Case::says("opens something else than it committed to", Lie::to_all(Open, Body(last_bit))),
        Case::says("opens something else towards one server", one(Open, Body(last_bit))),
        Case::says("commits to different shares towards one server", one(Commit, Body(last_bit))),
        Case::says("replays a signature of another run", Lie::to_all(Commit, Replayed)),
        Case::says("refuses to commit", Lie::to_all(Commit, Silence)),
        Case::says("refuses to open", Lie::to_all(Open, Silence)),
        Case::says("opens to one server only", one(Open, Silence)),
        Case::says("signs another result", Lie::to_all(Result, Body(last_bit))),
        Case::says("signs another result towards one server", one(Result, Body(last_bit))),
    ]
}
