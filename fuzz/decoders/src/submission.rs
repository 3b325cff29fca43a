//! An upload, as a server takes it from anybody.

use mpc::{
    collect::{PublicPart, check_credential, credential},
    ids::Party,
    sign::Signature,
};
use prost::Message as _;
use proto::{
    convert::field,
    v1::{self, SubmitRequest},
};

use crate::{choice, fixture};

/// The first byte says for which server it is, and whether what a stranger can always do is done:
/// name the study, hash the payload, and sign.
pub(crate) fn check(data: &[u8]) {
    let (how, rest) = choice(data);
    let Ok(request) = SubmitRequest::decode(rest) else { return };
    let Ok(mut public) = PublicPart::decode(&request.public_part) else { return };
    assert_eq!(public.encode(), request.public_part, "one encoding of a public part");
    assert_eq!(public.hash(), PublicPart::hash_encoded(&request.public_part));
    let fixture = fixture::get();
    let party = Party(how & 3);
    let signature = field::<Signature>("credential", &request.credential);
    if how & 4 != 0 {
        public.study = fixture.study.id();
        if let Some(hash) = public.payload_hashes.get_mut(party.index()) {
            *hash = mpc::dst::hash(mpc::dst::COLLECT_PAYLOAD, &[&request.payload]);
        }
        public.provider = fixture.provider.public();
        let signed = credential(&fixture.provider, public.hash());
        check_credential(&public.provider, public.hash(), &signed).expect("its own signature");
    } else if let Ok(signature) = signature {
        // Somebody's signature, or none: never a panic.
        let _ = check_credential(&public.provider, public.hash(), &signature);
    }
    open(&public, party, &request);
    let _ = fixture.collect.decode_output_share(&request.payload).map(|share| {
        assert_eq!(share.values.len(), fixture.plan.coordinates());
    });
}

/// What passes the door can be verified and added up.
fn open(public: &PublicPart, party: Party, request: &v1::SubmitRequest) {
    let collect = &fixture::get().collect;
    let Ok(opened) = collect.check_upload(party, public, &request.payload) else { return };
    assert_eq!(opened.values().len(), fixture::get().plan.coordinates());
    assert!(party.index() < collect.parties() && public.study == collect.study());
    assert_eq!(public.commitments.len(), collect.parties());
    let sizes = collect.sizes(public.records);
    let expected = if party.is_leader() { sizes.first } else { sizes.other };
    assert_eq!(request.payload.len(), expected, "a payload has one length");
    let prepared = collect.prepare(&[7; 32], party, public, &request.payload);
    let prepared = prepared.expect("what passes the door can be prepared");
    assert_eq!(prepared.verifier_share.len(), collect.verifier_share_len(public.records));
}
