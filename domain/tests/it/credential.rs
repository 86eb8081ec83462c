//! Rules of the Credential aggregate.

use timeloom_domain::credential::{Credential, CredentialCommand, CredentialEvent, CredentialRefusal, Sealed};
use timeloom_domain::event::Aggregate as _;

use crate::given::given;

fn sealed(key: &str) -> Sealed {
    Sealed { key: key.to_owned(), nonce: "AAECAwQFBgcICQoL".to_owned(), ciphertext: "c2VhbGVk".to_owned() }
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
    given::<Credential>([]).when(save("a")).then([saved("a")]);
    given::<Credential>([saved("a")]).when(save("b")).then([saved("b")]);
    given::<Credential>([saved("a")]).when(save("a")).changes_nothing();
}

#[test]
fn a_deleted_credential_is_there_again_when_it_is_saved() {
    let deleted = || CredentialEvent::CredentialDeleted {};
    given::<Credential>([]).when(CredentialCommand::Delete).refused(CredentialRefusal::NotFound);
    given::<Credential>([saved("a")]).when(CredentialCommand::Delete).then([deleted()]);
    given::<Credential>([saved("a"), deleted()]).when(CredentialCommand::Delete).changes_nothing();
    given::<Credential>([saved("a"), deleted()]).when(save("a")).then([saved("a")]);
    assert_eq!(given::<Credential>([saved("a"), deleted()]).state.sealed, None);
}

#[test]
fn only_what_was_opened_is_put_under_another_key() {
    given::<Credential>([saved("a")]).when(reseal("a", "b")).then([resealed("b")]);
    given::<Credential>([saved("a"), resealed("b")]).when(reseal("a", "b")).changes_nothing();
    given::<Credential>([saved("c")]).when(reseal("a", "b")).refused(CredentialRefusal::Changed);
    given::<Credential>([]).when(reseal("a", "b")).refused(CredentialRefusal::NotFound);
    let deleted = [saved("a"), CredentialEvent::CredentialDeleted {}];
    given::<Credential>(deleted).when(reseal("a", "b")).refused(CredentialRefusal::NotFound);
}

#[test]
fn names_and_types_that_are_none_are_refused() {
    for name in ["", " Mailer", "Mailer ", "Mail\ner", &"x".repeat(201)] {
        let command = save_as(name, "httpBasicAuth", &["user"], "a");
        given::<Credential>([]).when(command).refused(CredentialRefusal::InvalidName);
    }
    for credential_type in ["", "http basic", "é", &"x".repeat(101)] {
        let command = save_as("Mailer", credential_type, &["user"], "a");
        given::<Credential>([]).when(command).refused(CredentialRefusal::InvalidType);
    }
    let long = save_as(&"é".repeat(200), "n8n-nodes-x.someServiceOAuth2Api", &["user"], "a");
    assert_eq!(Credential::default().decide(&long).map(|events| events.len()), Ok(1));
}

#[test]
fn fields_are_bounded_in_number() {
    given::<Credential>([]).when(save_as("a", "b", &[], "a")).refused(CredentialRefusal::NoFields);
    given::<Credential>([]).when(save_as("a", "b", &["x"; 201], "a")).refused(CredentialRefusal::TooManyFields);
    let long = "x".repeat(201);
    given::<Credential>([]).when(save_as("a", "b", &[&long], "a")).refused(CredentialRefusal::TooManyFields);
}
