//! Signing in at a broker, by SASL: a password as it is (PLAIN), or proved (SCRAM).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use timeloom_engine::node::NodeError;

use super::client::Connection;
use super::scram::{Hash, Scram, ScramFault};
use super::words::{Reader, Writer, wrong};
use crate::fields::Fields;
use crate::wire::EXCHANGE_TIME_MAX;

/// The question which mechanism is spoken, in the version in which its messages are wrapped.
const HANDSHAKE: (i16, i16) = (17, 1);
/// A message of the mechanism.
const AUTHENTICATE: (i16, i16) = (36, 0);
/// The broker does not speak the mechanism.
const UNSUPPORTED_MECHANISM: i16 = 33;
/// Bytes that are drawn for each exchange.
const NONCE_BYTES: usize = 24;
/// Most mechanisms of a broker that a refusal tells.
const TOLD_MAX: usize = 10;

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Scram(Hash),
}

impl Mechanism {
    /// Its name in the protocol.
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(Hash::Sha256) => "SCRAM-SHA-256",
            Self::Scram(Hash::Sha512) => "SCRAM-SHA-512",
        }
    }
}

/// Who signs in, and how.
#[derive(Clone)]
pub(super) struct SignIn {
    mechanism: Mechanism,
    user: String,
    password: String,
}

impl SignIn {
    /// What a credential says of it; `None` where nobody signs in.
    ///
    /// # Errors
    /// [`NodeError`] where a field is missing or wrong.
    pub fn of(fields: &Fields) -> Result<Option<Self>, NodeError> {
        if !fields.truth("authentication") {
            return Ok(None);
        }
        let mechanism = match fields.text("saslMechanism").to_ascii_lowercase().as_str() {
            "" | "plain" => Mechanism::Plain,
            "scram-sha-256" => Mechanism::Scram(Hash::Sha256),
            "scram-sha-512" => Mechanism::Scram(Hash::Sha512),
            other => {
                return Err(NodeError::operation(format!("the mechanism '{other}' is not spoken here"))
                    .described("use plain, scram-sha-256 or scram-sha-512 in the credential"));
            }
        };
        Ok(Some(Self { mechanism, user: fields.needed("username")?, password: fields.needed("password")? }))
    }

    /// Proves it over a connection that was just opened.
    ///
    /// # Errors
    /// [`NodeError`] where the broker does not let us in.
    pub async fn prove(&self, connection: &mut Connection) -> Result<(), NodeError> {
        let name = self.mechanism.name();
        let mut handshake = Writer::default();
        handshake.text(name);
        let answer = connection.ask(HANDSHAKE, &handshake.0, EXCHANGE_TIME_MAX).await?;
        let mut reader = Reader::new(&answer);
        match reader.i16()? {
            0 => {}
            UNSUPPORTED_MECHANISM => {
                let count = reader.count()?.min(TOLD_MAX);
                let spoken: Result<Vec<String>, NodeError> = (0..count).map(|_| reader.text()).collect();
                let message = format!("Kafka does not let us in: it does not take {name}, but {}", spoken?.join(", "));
                return Err(NodeError::operation(message).described("save the credential again with one of those"));
            }
            code => return Err(wrong(format!("a handshake is answered with {code}"))),
        }
        match self.mechanism {
            Mechanism::Plain => {
                let told = format!("\0{}\0{}", self.user, self.password);
                authenticate(connection, told.as_bytes()).await.map(drop)
            }
            Mechanism::Scram(hash) => self.scram(hash, connection).await,
        }
    }

    async fn scram(&self, hash: Hash, connection: &mut Connection) -> Result<(), NodeError> {
        let mut chance = [0; NONCE_BYTES];
        getrandom::fill(&mut chance).map_err(|_| NodeError::api("this machine gives no random numbers"))?;
        let scram = Scram::new(hash, &self.user, &self.password, STANDARD.encode(chance));
        let challenge = authenticate(connection, scram.first().as_bytes()).await?;
        // Its rounds are work for the processor, and the broker says how many.
        let computing = tokio::task::spawn_blocking(move || scram.prove(&challenge));
        let proof = computing.await.map_err(|_| NodeError::api("the password could not be proved: try again"))?;
        let proof = proof.map_err(|fault| refused(&fault))?;
        let verdict = authenticate(connection, proof.message.as_bytes()).await?;
        proof.check(&verdict).map_err(|fault| refused(&fault))
    }
}

/// Sends a message of the mechanism; what the broker answers.
async fn authenticate(connection: &mut Connection, message: &[u8]) -> Result<String, NodeError> {
    let mut question = Writer::default();
    question.bytes(message);
    let answer = connection.ask(AUTHENTICATE, &question.0, EXCHANGE_TIME_MAX).await?;
    let mut reader = Reader::new(&answer);
    let (code, words) = (reader.i16()?, reader.text()?);
    if code != 0 {
        return Err(not_let_in(&words));
    }
    Ok(String::from_utf8_lossy(reader.bytes()?).into_owned())
}

fn refused(fault: &ScramFault) -> NodeError {
    not_let_in(&fault.to_string())
}

fn not_let_in(why: &str) -> NodeError {
    NodeError::operation(format!("Kafka does not let us in: {why}"))
        .described("save the credential again with the right user, password and mechanism")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::super::scram::broker::Broker;
    use super::*;
    use crate::wire::Wire;

    /// What the credential says.
    fn sign_in(more: Value) -> Result<Option<SignIn>, NodeError> {
        let mut fields = json!({"authentication": true, "username": "ada", "password": "s3cret"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        SignIn::of(&Fields::given("kafka", fields.as_object().unwrap().clone()))
    }

    /// The next question: its key and version, and its body.
    async fn asked(stream: &mut DuplexStream) -> ((i16, i16), i32, Vec<u8>) {
        let length = stream.read_i32().await.unwrap();
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut bytes).await.unwrap();
        let mut reader = Reader::new(&bytes);
        let (key, version, number) = (reader.i16().unwrap(), reader.i16().unwrap(), reader.i32().unwrap());
        assert_eq!(reader.text().unwrap(), "tests");
        ((key, version), number, reader.rest().to_vec())
    }

    async fn answer(stream: &mut DuplexStream, number: i32, body: &Writer) {
        let mut bytes = Writer::default();
        bytes.i32(number);
        bytes.0.extend(&body.0);
        let mut framed = Writer::default();
        framed.bytes(&bytes.0);
        stream.write_all(&framed.0).await.unwrap();
    }

    /// Speaks as a broker that takes these mechanisms; who signed in.
    async fn speak(mut stream: DuplexStream, known: &mut [(&str, Broker)], is_impostor: bool) -> String {
        let (kind, number, body) = asked(&mut stream).await;
        assert_eq!(kind, HANDSHAKE);
        let wanted = Reader::new(&body).text().unwrap();
        let chosen = known.iter().position(|(name, _)| *name == wanted);
        let mut told = Writer::default();
        told.i16(if chosen.is_some() { 0 } else { UNSUPPORTED_MECHANISM }).i32(i32::try_from(known.len()).unwrap());
        for (name, _) in known.iter() {
            told.text(name);
        }
        answer(&mut stream, number, &told).await;
        let Some(chosen) = chosen else { return String::new() };
        let broker = &mut known[chosen].1;

        let (kind, number, body) = asked(&mut stream).await;
        assert_eq!(kind, AUTHENTICATE);
        let first = String::from_utf8(Reader::new(&body).bytes().unwrap().to_vec()).unwrap();
        let (user, challenge) = broker.challenge(&first);
        let mut told = Writer::default();
        told.i16(0).i16(-1).bytes(challenge.as_bytes());
        answer(&mut stream, number, &told).await;

        let (_, number, body) = asked(&mut stream).await;
        let last = String::from_utf8(Reader::new(&body).bytes().unwrap().to_vec()).unwrap();
        let mut told = Writer::default();
        match broker.verdict(&last) {
            Some(_) if is_impostor => told.i16(0).i16(-1).bytes(b"v=AAAA"),
            Some(verdict) => told.i16(0).i16(-1).bytes(verdict.as_bytes()),
            None => told.i16(58).text("Authentication failed: invalid credentials").bytes(b""),
        };
        answer(&mut stream, number, &told).await;
        user
    }

    async fn exchanged(mechanism: &str, password: &str, is_impostor: bool) -> (Result<(), NodeError>, String) {
        let (ours, theirs) = duplex(4_096);
        // What a broker keeps is computed before: nobody waits for it.
        let known = [("SCRAM-SHA-256", Hash::Sha256), ("SCRAM-SHA-512", Hash::Sha512)];
        let mut known = known.map(|(name, hash)| (name, Broker::new(hash, password)));
        let mut connection = Connection::over(Wire::of(ours), "tests".to_owned());
        let who = sign_in(json!({"saslMechanism": mechanism})).unwrap().unwrap();
        tokio::join!(who.prove(&mut connection), speak(theirs, &mut known, is_impostor))
    }

    #[tokio::test]
    async fn a_password_is_proved_to_a_broker_that_does_not_hold_it() {
        for mechanism in ["scram-sha-256", "scram-sha-512"] {
            let (proved, user) = exchanged(mechanism, "s3cret", false).await;
            assert_eq!((proved, user.as_str()), (Ok(()), "ada"), "{mechanism}");
        }
    }

    #[tokio::test]
    async fn a_wrong_password_and_a_broker_that_does_not_know_the_right_one_are_told() {
        let (refused, _) = exchanged("scram-sha-256", "another", false).await;
        let refused = refused.unwrap_err();
        assert!(refused.message.contains("invalid credentials"), "{refused}");
        assert!(refused.description.unwrap().contains("right user, password"));
        let (refused, _) = exchanged("scram-sha-512", "s3cret", true).await;
        assert!(refused.unwrap_err().message.contains("did not prove that it knows the password"));
    }

    #[tokio::test]
    async fn a_broker_that_takes_other_mechanisms_is_told_with_those() {
        let (refused, _) = exchanged("plain", "s3cret", false).await;
        let refused = refused.unwrap_err();
        assert!(refused.message.contains("does not take PLAIN, but SCRAM-SHA-256, SCRAM-SHA-512"), "{refused}");
    }

    #[test]
    fn what_a_credential_says_of_it_is_checked_before_anything_is_asked() {
        let error = sign_in(json!({"saslMechanism": "gssapi"})).err().unwrap();
        assert!(error.message.contains("'gssapi'"), "{error}");
        let error = sign_in(json!({"password": ""})).err().unwrap();
        assert!(error.message.contains("'password'"), "{error}");
        assert!(sign_in(json!({"authentication": false})).unwrap().is_none());
        let spelled = sign_in(json!({"saslMechanism": "SCRAM-SHA-512"})).unwrap().unwrap();
        assert_eq!(spelled.mechanism, Mechanism::Scram(Hash::Sha512));
    }
}
