//! Blame: who told different servers different things, from what the servers signed.
//!
//! # Parties
//! Servers, each with everything that it heard in a run; any of them, or an auditor, judges.
//!
//! # Assumes
//! An honest server signs one statement per number of a run, and shows all that it heard.
//!
//! # Security
//! Nobody is named but for what it signed itself. A [`Step::Blame`] message of an honest server
//! lists the statements of the rounds that it completed, which hash to the chain that it signs, and
//! those of the round that it could not complete, which hold the reason: another chain, or
//! another's blame.
//!
//! Where the chains of two servers differ, and both show lists that hash to their chains, the lists
//! differ in a place, and whoever's place it is signed both. So every split names its liar, unless
//! a server shows nothing: then nobody can tell whether it lied or was cut off, and nobody is named.
//!
//! # Rounds
//! Two exchanges of the same message. Servers notice a split at most one round apart (whoever gets
//! a blame in an ordinary round joins in), so what is said twice is heard by all.
//!
//! # Cost
//! 134 bytes a server and round of the run, twice.
//!
//! # Source
//! Equivocation is found by comparing signed words as in Dolev, Strong, SIAM J. Comput. 1983.

use super::{Message, Place, Statement, Step, TranscriptError, first_chain, next_chain};
use crate::{
    ids::Party,
    sign::{PublicKey, Signature},
    wire::{Reader, WireError},
};

/// What a server shows when servers heard different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The statements of the rounds that it completed.
    rounds: Vec<Vec<Statement>>,
    /// Those that it heard in the round that it could not complete.
    last: Vec<Statement>,
}

/// Who is proven to have lied by these messages of one run. Whatever is not signed by its sender
/// counts for nothing.
pub fn judge<'a>(
    place: Place,
    keys: &[PublicKey],
    messages: impl IntoIterator<Item = &'a Message>,
) -> Option<TranscriptError> {
    let mut statements = Vec::new();
    let mut shown = Vec::new();
    for message in messages {
        let said = message.statement;
        let is_body = super::body_hash(&message.body) == said.body;
        if !is_signed(&said, keys, place) || !is_body {
            continue;
        }
        statements.push(said);
        if said.step == Step::Blame as u8 {
            let decoded = Shown::decode(&message.body, keys.len()).ok();
            let listed = decoded.iter().flat_map(Shown::statements);
            statements.extend(listed.filter(|said| is_signed(said, keys, place)));
            shown.push((said, decoded));
        }
    }
    contradiction(&mut statements).or_else(|| {
        let party = |(blame, shown): &(Statement, Option<Shown>)| {
            let stands = shown.as_ref().is_some_and(|shown| {
                shown.is_true(place, keys, blame) && shown.explains(place, blame, &statements)
            });
            (!stands).then_some(blame.party)
        };
        shown.iter().find_map(party).map(|party| TranscriptError::Inconsistent { party })
    })
}

/// Two statements of one server for one place. A second signature under the same words is none.
fn contradiction(statements: &mut [Statement]) -> Option<TranscriptError> {
    statements.sort_by_key(|said| (said.party, said.number, said.step, said.chain, said.body));
    let pairs = statements.iter().zip(statements.iter().skip(1));
    let mut same_place =
        pairs.filter(|(one, two)| (one.party, one.number) == (two.party, two.number));
    let (one, two) = same_place.find(|(one, two)| words(one) != words(two))?;
    let step = [one, two].map(|said| Step::from_code(said.step)).into_iter().flatten().next();
    Some(TranscriptError::Contradiction { party: one.party, step: step.unwrap_or(Step::Blame) })
}

/// What a statement says, whatever its signature.
fn words(said: &Statement) -> (u32, u8, [u8; 32], [u8; 32]) {
    (said.number, said.step, said.chain, said.body)
}

fn is_signed(said: &Statement, keys: &[PublicKey], place: Place) -> bool {
    keys.get(said.party.index()).is_some_and(|key| said.is_signed_by(key, place))
}

impl Shown {
    pub(super) fn new(rounds: &[Vec<Message>], last: &[Message]) -> Self {
        let statements = |round: &[Message]| round.iter().map(|said| said.statement).collect();
        Self {
            rounds: rounds.iter().map(|round| statements(round)).collect(),
            last: statements(last),
        }
    }

    fn statements(&self) -> impl Iterator<Item = Statement> + '_ {
        self.rounds.iter().flatten().chain(&self.last).copied()
    }

    /// Whether an honest server can show this: everything in it is signed, each round fits the
    /// chain of those before, and something in the last one did not.
    fn is_true(&self, place: Place, keys: &[PublicKey], blame: &Statement) -> bool {
        let mut chain = first_chain(place);
        for (number, round) in (0..).zip(&self.rounds) {
            if !round.iter().all(|said| said.number == number && said.chain == chain) {
                return false;
            }
            chain = next_chain(&chain, round);
        }
        let other = |said: &&Statement| said.party != blame.party;
        let a_reason = |said: &Statement| said.chain != chain || said.step == Step::Blame as u8;
        blame.chain == chain
            // The round that failed had the number after the completed ones.
            && usize::try_from(blame.number).ok() == self.rounds.len().checked_add(1)
            && self.statements().all(|said| is_signed(&said, keys, place))
            && self.last.iter().filter(other).any(a_reason)
    }

    /// Whether it is what its sender heard before everything else that it signed.
    fn explains(&self, place: Place, blame: &Statement, statements: &[Statement]) -> bool {
        let mut chains = vec![first_chain(place)];
        for round in &self.rounds {
            let next = chains.last().map(|chain| next_chain(chain, round));
            chains.extend(next);
        }
        let others = |said: &&Statement| said.party == blame.party && words(said) != words(blame);
        statements.iter().filter(others).all(|said| {
            let number = usize::try_from(said.number).unwrap_or(usize::MAX);
            said.step != Step::Blame as u8 && chains.get(number) == Some(&said.chain)
        })
    }

    /// Number of rounds (4) ‖ their statements, by party ‖ number of statements of the last round
    /// (1) ‖ those statements, each party (1) ‖ step (1) ‖ number (4) ‖ chain (32) ‖ body (32)
    /// ‖ signature (64).
    pub(super) fn encode(&self) -> Vec<u8> {
        // A run has a handful of rounds, and a round at most 8 statements.
        let mut out = (self.rounds.len() as u32).to_be_bytes().to_vec();
        self.rounds.iter().flatten().for_each(|said| put(&mut out, said));
        out.push(self.last.len() as u8);
        self.last.iter().for_each(|said| put(&mut out, said));
        out
    }

    fn decode(bytes: &[u8], parties: usize) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let mut rounds = Vec::new();
        for _ in 0..reader.u32()? {
            let round = (0..parties).map(|_| statement(&mut reader));
            let round = round.collect::<Result<Vec<_>, _>>()?;
            let in_order = |(said, party): (&Statement, u8)| said.party == Party(party);
            if !round.iter().zip(0..).all(in_order) {
                return Err(WireError::Range("order of the statements"));
            }
            rounds.push(round);
        }
        let last = (0..reader.u8()?).map(|_| statement(&mut reader));
        let last = last.collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self { rounds, last })
    }
}

fn put(out: &mut Vec<u8>, said: &Statement) {
    out.extend_from_slice(&[said.party.0, said.step]);
    out.extend_from_slice(&said.number.to_be_bytes());
    out.extend_from_slice(&said.chain);
    out.extend_from_slice(&said.body);
    out.extend_from_slice(&said.signature.0);
}

fn statement(reader: &mut Reader<'_>) -> Result<Statement, WireError> {
    let (party, step, number) = (Party(reader.u8()?), reader.u8()?, reader.u32()?);
    let (chain, body) = (reader.array()?, reader.array()?);
    Ok(Statement { party, step, number, chain, body, signature: Signature(reader.array()?) })
}
