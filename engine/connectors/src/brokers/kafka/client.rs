//! Connections to the brokers of a cluster of Kafka: the few questions that are asked here, in their oldest versions that all
//! brokers answer, but where records are packed by zstd, of which older versions know nothing.

use std::collections::HashMap;
use std::time::Duration;

use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::NodeError;

use super::batch::{self, Record};
use super::fetch::{self, Came, Wanted};
use super::packing::Packing;
use super::sign_in::SignIn;
use super::words::{Reader, Writer, wrong};
use crate::brokers::content::{MESSAGE_BYTES_MAX, server_of};
use crate::fields::Fields;
use crate::wire::{EXCHANGE_TIME_MAX, Server, Wire};

/// Most bytes of an answer: a batch of the greatest size, and what is around it.
const ANSWER_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// Most partitions of a topic.
pub(super) const PARTITIONS_MAX: usize = 1_000;
/// Most brokers of a credential.
const BROKERS_MAX: usize = 32;

/// The offset that is wanted where none is known.
pub(super) const LATEST: i64 = -1;
/// The first offset that a partition still has.
pub(super) const EARLIEST: i64 = -2;

/// Metadata of topics, as [`Connection::ask`] takes it.
const METADATA: (i16, i16) = (3, 1);
/// Offsets of partitions.
const LIST_OFFSETS: (i16, i16) = (2, 1);
/// Sending records, and the same where they may be packed by zstd.
const PRODUCE: [(i16, i16); 2] = [(0, 3), (0, 7)];

/// A partition: its number, and the broker that leads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Partition {
    pub index: i32,
    pub leader: i32,
}

/// A cluster.
pub(super) struct Cluster {
    seeds: Vec<Server>,
    /// Where each broker is.
    brokers: HashMap<i32, Server>,
    connections: HashMap<i32, Connection>,
    topics: HashMap<String, Vec<Partition>>,
    client_id: String,
    sign_in: Option<SignIn>,
    policy: OutboundPolicy,
}

impl Cluster {
    /// The cluster of a credential; nothing is connected to yet.
    ///
    /// # Errors
    /// [`NodeError`] when a field is missing or wrong.
    pub fn new(fields: &Fields, policy: &OutboundPolicy) -> Result<Self, NodeError> {
        let named = fields.needed("brokers")?;
        let seeds: Result<Vec<Server>, NodeError> = named
            .split(',')
            .map(str::trim)
            .filter(|broker| !broker.is_empty())
            .take(BROKERS_MAX)
            .map(|broker| {
                let (host, port) = broker.rsplit_once(':').unwrap_or((broker, "9092"));
                let port = port.parse().map_err(|_| {
                    NodeError::operation(format!(
                        "'{broker}' is no broker: give host and port, as in kafka.example:9092"
                    ))
                })?;
                Ok(server_of(fields, host.to_owned(), port, fields.truth("ssl")))
            })
            .collect();
        Ok(Self {
            seeds: seeds?,
            brokers: HashMap::new(),
            connections: HashMap::new(),
            topics: HashMap::new(),
            client_id: fields.some_text("clientId").unwrap_or_else(|| "timeloom".to_owned()),
            sign_in: SignIn::of(fields)?,
            policy: policy.clone(),
        })
    }

    /// The partitions of a topic, as they were when this was first asked.
    ///
    /// # Errors
    /// [`NodeError`] when no broker answers, or there is no such topic.
    pub async fn partitions(&mut self, topic: &str) -> Result<Vec<Partition>, NodeError> {
        if let Some(known) = self.topics.get(topic) {
            return Ok(known.clone());
        }
        let partitions = self.partitions_now(topic).await?;
        self.topics.insert(topic.to_owned(), partitions.clone());
        Ok(partitions)
    }

    /// The same, as they are now.
    ///
    /// # Errors
    /// [`NodeError`] when no broker answers, or there is no such topic.
    pub async fn partitions_now(&mut self, topic: &str) -> Result<Vec<Partition>, NodeError> {
        let mut question = Writer::default();
        question.i32(1).text(topic);
        let mut last = NodeError::operation("the credential names no broker");
        for seed in self.seeds.clone() {
            let asked = async {
                let mut connection = self.connect(&seed).await?;
                connection.ask(METADATA, &question.0, EXCHANGE_TIME_MAX).await
            };
            match asked.await {
                Ok(answer) => return self.told_of(topic, &answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn told_of(&mut self, topic: &str, answer: &[u8]) -> Result<Vec<Partition>, NodeError> {
        let mut reader = Reader::new(answer);
        let like = self.seeds.first().cloned();
        for _ in 0..reader.count()? {
            let (id, host, port) = (reader.i32()?, reader.text()?, reader.i32()?);
            reader.text()?;
            let port = u16::try_from(port).map_err(|_| wrong("a port is none"))?;
            let tls = like.as_ref().and_then(|seed| seed.tls.clone());
            self.brokers.insert(id, Server { host, port, tls });
        }
        reader.i32()?;
        let mut partitions = Vec::new();
        for _ in 0..reader.count()? {
            let (code, name, _internal) = (reader.i16()?, reader.text()?, reader.i8()?);
            if name == topic {
                check(code, topic)?;
            }
            for _ in 0..reader.count()? {
                let (_code, index, leader) = (reader.i16()?, reader.i32()?, reader.i32()?);
                for _ in 0..2 {
                    let count = reader.count()?;
                    reader.take(count.saturating_mul(4))?;
                }
                if name == topic {
                    partitions.push(Partition { index, leader });
                }
            }
        }
        if partitions.is_empty() || partitions.len() > PARTITIONS_MAX {
            let count = partitions.len();
            return Err(NodeError::operation(format!(
                "the topic '{topic}' has {count} partitions: 1 to {PARTITIONS_MAX} are read"
            )));
        }
        partitions.sort_unstable_by_key(|partition| partition.index);
        Ok(partitions)
    }

    /// The offset of a partition at [`LATEST`] or [`EARLIEST`].
    ///
    /// # Errors
    /// [`NodeError`] when its broker does not tell.
    pub async fn offset(&mut self, topic: &str, partition: Partition, at: i64) -> Result<i64, NodeError> {
        let mut question = Writer::default();
        question.i32(-1).i32(1).text(topic).i32(1).i32(partition.index).i64(at);
        let answer = self.leader(partition.leader).await?.ask(LIST_OFFSETS, &question.0, EXCHANGE_TIME_MAX).await?;
        let mut reader = Reader::new(&answer);
        reader.count()?;
        reader.text()?;
        reader.count()?;
        let (_index, code, _time, offset) = (reader.i32()?, reader.i16()?, reader.i64()?, reader.i64()?);
        check(code, topic)?;
        Ok(offset)
    }

    /// What partitions of one leader have from these offsets on, waiting so long at most for something to come.
    ///
    /// # Errors
    /// [`NodeError`] when the broker does not tell, or leads them no more.
    pub async fn fetch(
        &mut self,
        topic: &str,
        leader: i32,
        wanted: &[Wanted],
        wait: Duration,
    ) -> Result<Vec<(i32, Came)>, NodeError> {
        let connection = self.leader(leader).await?;
        for _ in 0..fetch::VERSIONS.len() {
            let version = connection.fetches;
            let question = fetch::question(version, topic, wanted, wait);
            let answer = connection.ask((fetch::KEY, version), &question, wait + EXCHANGE_TIME_MAX).await?;
            if let Some(came) = fetch::answered(version, topic, wanted, &answer)? {
                return Ok(came);
            }
            // What is packed by zstd is given only to who asks in a version that knows of it, which this broker does.
            [_, connection.fetches] = fetch::VERSIONS;
        }
        check(UNSUPPORTED_COMPRESSION, topic).map(|()| Vec::new())
    }

    /// Sends a record; answers its offset.
    ///
    /// # Errors
    /// [`NodeError`] when its broker does not take it.
    pub async fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: (&Record, Packing),
        now_ms: i64,
        (acks, timeout_ms): (i16, i32),
    ) -> Result<i64, NodeError> {
        let known = self.partitions(topic).await?;
        let leader = known.iter().find(|known| known.index == partition).map(|known| known.leader);
        let leader =
            leader.ok_or_else(|| NodeError::api(format!("the topic '{topic}' has no partition {partition}")))?;
        let mut question = Writer::default();
        question.i16(-1).i16(acks).i32(timeout_ms).i32(1).text(topic).i32(1).i32(partition);
        let (record, packing) = batch;
        question.bytes(&batch::write(record, packing, now_ms)?);
        let [plain, with_zstd] = PRODUCE;
        let version = if packing == Packing::Zstd { with_zstd } else { plain };
        let answer = self.leader(leader).await?.ask(version, &question.0, EXCHANGE_TIME_MAX).await?;
        let mut reader = Reader::new(&answer);
        reader.count()?;
        reader.text()?;
        reader.count()?;
        let (_index, code, offset) = (reader.i32()?, reader.i16()?, reader.i64()?);
        check(code, topic)?;
        Ok(offset)
    }

    async fn leader(&mut self, id: i32) -> Result<&mut Connection, NodeError> {
        if !self.connections.contains_key(&id) {
            let broker = self.brokers.get(&id).cloned();
            let broker =
                broker.ok_or_else(|| NodeError::api("a partition has no broker that leads it at this moment"))?;
            let connection = self.connect(&broker).await?;
            self.connections.insert(id, connection);
        }
        self.connections.get_mut(&id).ok_or_else(|| wrong("a broker is gone"))
    }

    async fn connect(&self, server: &Server) -> Result<Connection, NodeError> {
        let wire = Wire::open(server, &self.policy).await?;
        let mut connection = Connection::over(wire, self.client_id.clone());
        if let Some(sign_in) = &self.sign_in {
            sign_in.prove(&mut connection).await?;
        }
        Ok(connection)
    }
}

/// A connection to one broker.
pub(super) struct Connection {
    wire: Wire,
    client_id: String,
    asked: i32,
    /// The version in which this broker is asked for records.
    fetches: i16,
}

impl Connection {
    /// A connection over which nothing was asked yet.
    pub fn over(wire: Wire, client_id: String) -> Self {
        let [fetches, _] = fetch::VERSIONS;
        Self { wire, client_id, asked: 0, fetches }
    }

    /// Asks a question by its key and version; what is answered, within that time.
    ///
    /// # Errors
    /// [`NodeError`] when no answer comes in time.
    pub async fn ask(
        &mut self,
        (key, version): (i16, i16),
        question: &[u8],
        within: Duration,
    ) -> Result<Vec<u8>, NodeError> {
        self.asked = self.asked.wrapping_add(1);
        let mut body = Writer::default();
        body.i16(key).i16(version).i32(self.asked).text(&self.client_id);
        body.0.extend(question);
        let mut bytes = Writer::default();
        bytes.bytes(&body.0);
        self.wire.send(&bytes.0).await?;
        if !self.wire.comes(within).await? {
            return Err(NodeError::api(format!("Kafka did not answer within {} s", within.as_secs())));
        }
        let head = self.wire.exactly(8).await?;
        let mut reader = Reader::new(&head);
        let (length, asked) = (reader.i32()?, reader.i32()?);
        let length = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
        match length.filter(|length| *length <= ANSWER_BYTES_MAX) {
            Some(_) if asked != self.asked => Err(wrong("an answer to another question")),
            Some(length) => self.wire.exactly(length).await,
            None => Err(wrong("an answer has no length, or is too long")),
        }
    }
}

/// The broker does not take, or does not give, what is packed like that.
pub(super) const UNSUPPORTED_COMPRESSION: i16 = 76;

/// What a broker says by a number.
///
/// # Errors
/// [`NodeError`] where it says that something is wrong.
pub(super) fn check(code: i16, topic: &str) -> Result<(), NodeError> {
    let (words, advice) = match code {
        0 => return Ok(()),
        3 => ("there is no such topic", "make the topic, or check its name"),
        5 | 6 => ("another broker leads a partition now", "try again"),
        7 => ("the brokers did not have it in time", "try again"),
        10 => ("the message is too large", "send less, or let the broker take more"),
        19 | 20 => ("too few copies are there", "try again when all brokers are there"),
        29 => ("this user may not do that", "ask who runs the cluster"),
        UNSUPPORTED_COMPRESSION => ("the broker does not know how messages are packed", "pack by gzip, or not at all"),
        35 => ("the broker is too old or too new", "use Kafka from 0.11 on"),
        _ => ("it refused", "see what its log says"),
    };
    Err(NodeError::api(format!("Kafka, topic '{topic}': {words} (error {code})")).described(advice))
}
