//! Send Email: a letter for each item, by SMTP.
//!
//! The id of a letter follows from the node run, so that one that was sent twice because of a crash can be known as one.

use async_trait::async_trait;
use serde_json::json;
use timeloom_domain::catalogue::{CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{BinaryData, Item, JsonObject};
use timeloom_engine::node::{Behaviour, Binaries, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, choice, collection, is, long_text, needs, options, palette, switch, text};

use super::compose::{Enclosed, Letter};
use super::smtp::Client;
use crate::fields::Fields;

const CREDENTIALS: &[CredentialDefinition] = &[needs("smtp", &[])];
/// Most bytes of the attachments of one letter.
const ATTACHMENTS_BYTES_MAX: usize = 25 << 20;

pub(super) const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", &[choice("send", "Send")], "What is done.").or_text("send"),
    text("fromEmail", "Who sends it.").called("From email").like("Ann <ann@example.com>").needed(),
    text("toEmail", "Who is to get it, with commas between.").called("To email").like("bob@example.com").needed(),
    text("ccEmail", "Who is to get a copy; in version 1.").called("CC email"),
    text("bccEmail", "Who is to get a copy without the others knowing; in version 1.").called("BCC email"),
    text("subject", "What it is about.").like("News"),
    options(
        "emailFormat",
        &[choice("text", "Text"), choice("html", "HTML"), choice("both", "Both")],
        "What it is written in, from version 2 on.",
    )
    .called("Email format")
    .or_text("html"),
    long_text("text", "The text.").when(&[is("emailFormat", &["text", "both"])]),
    long_text("html", "The text, in HTML.").called("HTML").when(&[is("emailFormat", &["html", "both"])]),
    text("attachments", "Names of attachments that go with it, with commas between; in version 1."),
    collection(
        "options",
        &[
            switch("appendAttribution", "No line is ever added: changes nothing here.").called("Append attribution"),
            text("attachments", "Names of attachments that go with it, with commas between."),
            text("ccEmail", "Who is to get a copy.").called("CC email"),
            text("bccEmail", "Who is to get a copy without the others knowing.").called("BCC email"),
            switch("allowUnauthorizedCerts", "Whether any certificate will do.")
                .called("Ignore SSL issues (insecure)")
                .or_false(),
            text("replyTo", "To whom an answer goes.").called("Reply to"),
        ],
        "What else to decide.",
    ),
];

/// Send Email.
pub(super) struct EmailSend;

impl NodeType for EmailSend {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.emailSend",
            display_name: "Send Email",
            description: "Sends mail by SMTP.",
            versions: &[1.0, 2.0, 2.1],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "mail", &["smtp", "e-mail", "letter", "notify"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for EmailSend {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let operation = run.text("operation", 0, "send")?;
        if operation != "send" {
            let message =
                format!("the operation '{operation}' is not known here: send the mail, then wait by a Wait node");
            return Err(NodeError::operation(message));
        }
        let fields = Fields::of(run, "smtp").await?;
        let any = run.boolean("options.allowUnauthorizedCerts", 0, false)?;
        let mut client: Option<Client> = None;
        let mut given = Vec::new();
        for index in 0..run.items().len() {
            match self.send(run, index, (&fields, any), &mut client).await {
                Ok(sent) => given.push(Item::new(sent).paired_with(index)),
                Err(error) if run.continues_on_fail() => {
                    // What a server thinks of us after a failure is not known.
                    client = None;
                    given.push(run.failed_item(index, &error));
                }
                Err(error) => return Err(error.at_item(index)),
            }
        }
        if let Some(client) = &mut client {
            client.leave().await;
        }
        Ok(NodeOutput::single(given))
    }
}

impl EmailSend {
    async fn send(
        &self,
        run: &mut NodeRun<'_>,
        index: usize,
        (fields, any): (&Fields, bool),
        client: &mut Option<Client>,
    ) -> Result<JsonObject, NodeError> {
        let sealed = letter(run, index).await?.seal()?;
        let client = match client {
            Some(client) => client,
            None => client.insert(Client::connect(fields, any, &run.services.outbound).await?),
        };
        let delivered = client.deliver(&sealed.from, &sealed.to, &sealed.bytes).await?;
        let told = [
            ("accepted", json!(delivered.accepted)),
            ("rejected", json!(delivered.rejected)),
            ("messageSize", json!(sealed.bytes.len())),
            ("response", json!(delivered.response)),
            ("envelope", json!({ "from": sealed.from, "to": sealed.to })),
            ("messageId", json!(sealed.message_id)),
        ];
        Ok(told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

async fn letter(run: &mut NodeRun<'_>, index: usize) -> Result<Letter, NodeError> {
    let is_first = run.version() < 2.0;
    let place = |name: &str| if is_first { name.to_owned() } else { format!("options.{name}") };
    // The first version writes whatever it is given.
    let format = if is_first { "both".to_owned() } else { run.text("emailFormat", index, "html")? };
    let mut texts = Vec::new();
    for name in ["text", "html"] {
        let wanted = format == name || format == "both";
        let text = if wanted { run.text(name, index, "")? } else { String::new() };
        texts.push(Some(text).filter(|text| wanted && !text.is_empty()));
    }
    let html = texts.pop().flatten();
    let names = run.text(&place("attachments"), index, "")?;
    let chosen = chosen(run, index, &names)?;
    let attachments = enclosed(&run.binaries(), chosen).await?;
    Ok(Letter {
        from: run.text("fromEmail", index, "")?,
        to: run.text("toEmail", index, "")?,
        cc: run.text(&place("ccEmail"), index, "")?,
        bcc: run.text(&place("bccEmail"), index, "")?,
        reply_to: run.text("options.replyTo", index, "")?,
        subject: run.text("subject", index, "")?,
        text: texts.pop().flatten(),
        html,
        attachments,
        id: format!("{}-{index}", run.idempotency_key),
        now_ms: run.scope.now_ms,
    })
}

/// The attachments that are named, with their names.
fn chosen(run: &NodeRun<'_>, index: usize, names: &str) -> Result<Vec<(String, BinaryData)>, NodeError> {
    let items = run.items();
    let all = items.get(index).and_then(|item| item.binary.as_ref());
    let named = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    let find = |name: &str| {
        let found = all.and_then(|all| all.get(name)).cloned();
        found.map(|attachment| (name.to_owned(), attachment)).ok_or_else(|| {
            NodeError::operation(format!("the item has no attachment '{name}'"))
                .described("name attachments that the item has, or leave the field empty")
        })
    };
    named.map(find).collect()
}

async fn enclosed(binaries: &Binaries, chosen: Vec<(String, BinaryData)>) -> Result<Vec<Enclosed>, NodeError> {
    let (mut enclosed, mut bytes) = (Vec::new(), 0);
    for (name, attachment) in chosen {
        let content = binaries.read(&attachment).await?;
        bytes += content.len();
        if bytes > ATTACHMENTS_BYTES_MAX {
            let message = format!("the attachments have more than {ATTACHMENTS_BYTES_MAX} bytes: send fewer");
            return Err(NodeError::operation(message));
        }
        let name = attachment.file_name.unwrap_or(name);
        enclosed.push(Enclosed { name, mime_type: attachment.mime_type, content: content.to_vec() });
    }
    Ok(enclosed)
}
