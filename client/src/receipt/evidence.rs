//! Evidence of a broken word, for people and for programs: two signatures of one server.

use mpc::{
    publish::BrokenWord,
    transcript::{Place, Step},
};
use serde::Serialize;
use study::StudyServer;

/// Two words that one server signed and that contradict each other. Everything that a third party
/// needs to check that, with the study's servers; bytes are in hexadecimal. Where the second word is
/// a set, it convinces only together with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The server's name in the study.
    pub server: String,
    /// Its key.
    pub identity: String,
    /// The study.
    pub study: String,
    /// Its first word: that it holds a submission.
    pub receipt: ReceiptWord,
    /// Its second word, in the agreement on the set.
    pub message: MessageWord,
    /// SHA-256 of the bundle that has all that the set counts and rejects: who checks this needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
}

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptWord {
    /// The submission.
    pub submission: String,
    /// Hash of its public part.
    pub public_hash: String,
    /// The signature over study, submission and hash.
    pub signature: String,
}

/// A message and the statement that was signed about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageWord {
    /// The run.
    pub run: String,
    /// The server's place in the study.
    pub party: u8,
    /// What kind of message it is, by name and by code.
    pub step: String,
    /// The code.
    pub code: u8,
    /// The round of the run.
    pub number: u32,
    /// Hash of everything said before.
    pub chain: String,
    /// The body.
    pub body: String,
    /// The signature over all of this.
    pub signature: String,
}

impl Evidence {
    pub(super) fn of(
        broken: &BrokenWord,
        server: &StudyServer,
        place: Place,
        bundle: Option<&str>,
    ) -> Self {
        let BrokenWord { receipt, message } = broken;
        let statement = &message.statement;
        let step = Step::from_code(statement.step);
        Self {
            server: server.name.clone(),
            identity: server.identity.to_string(),
            study: place.study.to_string(),
            receipt: ReceiptWord {
                submission: receipt.submission.to_string(),
                public_hash: receipt.public.to_string(),
                signature: hex::encode(receipt.signature.0),
            },
            message: MessageWord {
                run: place.run.to_string(),
                party: statement.party.0,
                step: step.map_or_else(String::new, |step| step.to_string().to_lowercase()),
                code: statement.step,
                number: statement.number,
                chain: hex::encode(statement.chain),
                body: hex::encode(&message.body),
                signature: hex::encode(statement.signature.0),
            },
            bundle: bundle.map(str::to_owned),
        }
    }
}
