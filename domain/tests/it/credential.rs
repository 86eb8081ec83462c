//! Rules of the Credential aggregate.

use timeloom_domain::credential::{
    Credential, CredentialCommand, CredentialEvent, CredentialRefusal, Sealed, WrappedKey,
};
use timeloom_domain::event::Aggregate as _;

use crate::given::given;

/// Sealed under that key, for the version at its end: `b 2`. Without one, as seals were of old.
fn sealed(text: &str) -> Sealed {
    let (key, version) = text.split_once(' ').unwrap_or((text, ""));
    let data_key = version.parse().ok().map(|version| WrappedKey {
        version,
        nonce: "CwoJCAcGBQQDAgEA".to_owned(),
        ciphertext: "a2V5".to_owned(),
    });
    let (nonce, ciphertext) = ("AAECAwQFBgcICQoL".to_owned(), "c2VhbGVk".to_owned());
    Sealed { key: key.to_owned(), nonce, ciphertext, data_key }
}

fn save_as(name: &str, credential_type: &str, fields: &[&str], key: &str) -> CredentialCommand {
    CredentialCommand::Save {
        name: name.to_owned(),
        credential_type: credential_type.to_owned(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        sealed: sealed(key),
    }
}

fn save(key: &str) -> CredentialCommand {
    save_as("Mailer", "httpBasicAuth", &["user", "password"], key)
}

fn saved(key: &str) -> CredentialEvent {
    CredentialEvent::CredentialSaved {
        name: "Mailer".to_owned(),
        credential_type: "httpBasicAuth".to_owned(),
        fields: vec!["user".to_owned(), "password".to_owned()],
        sealed: sealed(key),
    }
}

fn reseal(from: &str, to: &str) -> CredentialCommand {
    CredentialCommand::Reseal { from: sealed(from), sealed: sealed(to) }
}

fn resealed(key: &str) -> CredentialEvent {
    CredentialEvent::CredentialResealed { sealed: sealed(key) }
}

#[test]
fn fields_are_given_and_given_anew() {
    given::<Credential>([]).when(save("a 1")).then([saved("a 1")]);
    given::<Credential>([saved("a 1")]).when(save("b 2")).then([saved("b 2")]);
    given::<Credential>([saved("a 1")]).when(save("a 1")).changes_nothing();
}

#[test]
fn every_save_makes_a_version_and_only_what_was_sealed_for_it_is_taken() {
    let deleted = || CredentialEvent::CredentialDeleted {};
    let story = || [saved("a"), saved("a 2"), resealed("b 2"), deleted()];
    assert_eq!(given::<Credential>(story()).state.version, 2);
    given::<Credential>(story()).when(save("b 3")).then([saved("b 3")]);
    for stale in ["b 2", "b 4", "b"] {
        given::<Credential>(story()).when(save(stale)).refused(CredentialRefusal::Changed);
    }
}

#[test]
fn a_deleted_credential_is_there_again_when_it_is_saved() {
    let deleted = || CredentialEvent::CredentialDeleted {};
    given::<Credential>([]).when(CredentialCommand::Delete).refused(CredentialRefusal::NotFound);
    given::<Credential>([saved("a 1")]).when(CredentialCommand::Delete).then([deleted()]);
    given::<Credential>([saved("a 1"), deleted()]).when(CredentialCommand::Delete).changes_nothing();
    given::<Credential>([saved("a 1"), deleted()]).when(save("a 2")).then([saved("a 2")]);
    assert_eq!(given::<Credential>([saved("a 1"), deleted()]).state.sealed, None);
}

#[test]
fn only_what_was_opened_is_put_under_another_key() {
    given::<Credential>([saved("a 1")]).when(reseal("a 1", "b 1")).then([resealed("b 1")]);
    given::<Credential>([saved("a 1"), resealed("b 1")]).when(reseal("a 1", "b 1")).changes_nothing();
    given::<Credential>([saved("c 1")]).when(reseal("a 1", "b 1")).refused(CredentialRefusal::Changed);
    given::<Credential>([]).when(reseal("a 1", "b 1")).refused(CredentialRefusal::NotFound);
    let deleted = [saved("a 1"), CredentialEvent::CredentialDeleted {}];
    given::<Credential>(deleted).when(reseal("a 1", "b 1")).refused(CredentialRefusal::NotFound);
    // Another key changes no version, and what was sealed of old is given a data key of its version.
    given::<Credential>([saved("a 1")]).when(reseal("a 1", "b 2")).refused(CredentialRefusal::Changed);
    given::<Credential>([saved("a")]).when(reseal("a", "b")).refused(CredentialRefusal::Changed);
    given::<Credential>([saved("a")]).when(reseal("a", "b 1")).then([resealed("b 1")]);
}

#[test]
fn names_and_types_that_are_none_are_refused() {
    for name in ["", " Mailer", "Mailer ", "Mail\ner", &"x".repeat(201)] {
        let command = save_as(name, "httpBasicAuth", &["user"], "a 1");
        given::<Credential>([]).when(command).refused(CredentialRefusal::InvalidName);
    }
    for credential_type in ["", "http basic", "é", &"x".repeat(101)] {
        let command = save_as("Mailer", credential_type, &["user"], "a 1");
        given::<Credential>([]).when(command).refused(CredentialRefusal::InvalidType);
    }
    let long = save_as(&"é".repeat(200), "n8n-nodes-x.someServiceOAuth2Api", &["user"], "a 1");
    assert_eq!(Credential::default().decide(&long).map(|events| events.len()), Ok(1));
}

#[test]
fn fields_are_bounded_in_number() {
    given::<Credential>([]).when(save_as("a", "b", &[], "a 1")).refused(CredentialRefusal::NoFields);
    given::<Credential>([]).when(save_as("a", "b", &["x"; 201], "a 1")).refused(CredentialRefusal::TooManyFields);
    let long = "x".repeat(201);
    given::<Credential>([]).when(save_as("a", "b", &[&long], "a 1")).refused(CredentialRefusal::TooManyFields);
}
