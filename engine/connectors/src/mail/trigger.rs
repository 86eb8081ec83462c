//! Email Trigger (IMAP): reads the letters of a mailbox that come, and starts an execution for each.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_engine::listeners::MESSAGE_BYTES_MAX;
use timeloom_engine::node::{Behaviour, Listen, Listening, Message, NodeError, NodeType};
use timeloom_nodes::describe::{TRIGGER, choice, collection, is, needs, number, options, palette, switch, text, told};
use timeloom_nodes::values::has_expression;

use super::imap::Client;
use super::read::item_of;
use crate::fields::Fields;

const CREDENTIALS: &[CredentialDefinition] = &[needs("imap", &[])];
/// How long a server is waited for before the mailbox is looked at again in any case.
const WAIT: Duration = Duration::from_secs(120);
/// The same for a server that does not tell by itself.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// What letters are looked for where the node does not say.
const UNSEEN: &str = "UNSEEN";
/// Most characters of the words by which letters are looked for.
const WORDS_CHARACTERS_MAX: usize = 2_000;

const PARAMETERS: &[ParameterDefinition] = &[
    text("mailbox", "The mailbox.").called("Mailbox name").or_text("INBOX"),
    options(
        "postProcessAction",
        &[told("read", "Mark as read", "Once its execution is durable."), choice("nothing", "Nothing")],
        "What becomes of a letter.",
    )
    .called("Action")
    .or_text("read"),
    switch("downloadAttachments", "Whether attachments are given.")
        .called("Download attachments")
        .or_false()
        .when(&[is("format", &["simple"])]),
    options(
        "format",
        &[
            told("raw", "RAW", "The letter as it is, in base64."),
            told("resolved", "Resolved", "The letter with all its headers, and its attachments."),
            told("simple", "Simple", "Texts, addresses and subject."),
        ],
        "What is given.",
    )
    .or_text("simple"),
    text("dataPropertyAttachmentsPrefixName", "What the names of attachments begin with.")
        .called("Property prefix name")
        .or_text("attachment_"),
    collection(
        "options",
        &[
            switch("allowUnauthorizedCerts", "Whether any certificate will do.")
                .called("Ignore SSL issues (insecure)")
                .or_false(),
            text("customEmailConfig", "Which letters, as a list of the server's words.")
                .called("Custom email rules")
                .or_text("[\"UNSEEN\"]"),
            number("forceReconnect", "It connects again by itself: changes nothing here.")
                .called("Force reconnect every minutes"),
            switch("trackLastMessageId", "It always remembers: changes nothing here.").called("Fetch only new emails"),
        ],
        "What else to decide.",
    ),
];

/// Email Trigger (IMAP).
pub(super) struct EmailReadImap;

impl NodeType for EmailReadImap {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.emailReadImap",
            display_name: "Email Trigger (IMAP)",
            description: "Starts an execution for each letter that comes to a mailbox.",
            versions: &[1.0, 2.0, 2.1],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "mail", &["imap", "e-mail", "inbox", "letter"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let problem = |field: &str, message: String| Problem {
            node: Some(node.name.clone()),
            field: format!("parameters.{field}"),
            message,
        };
        let mut problems = Vec::new();
        if has_expression(&node.parameters) {
            let message = "a parameter is an expression: write it out, a trigger has no items";
            problems.push(problem("mailbox", message.to_owned()));
        }
        let rules = node.parameters.pointer("/options/customEmailConfig").and_then(Value::as_str);
        if let Some(Err(message)) = rules.map(words) {
            problems.push(problem("options.customEmailConfig", message));
        }
        problems
    }

    fn listens(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[async_trait]
impl Listen for EmailReadImap {
    fn place(&self, node: &Node) -> Value {
        json!([node.parameters.get("mailbox"), node.credentials])
    }

    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let fields = listening.credential("imap").await?;
        let fields = fields.ok_or_else(|| NodeError::operation("the node names no credential of type 'imap'"))?;
        let any = listening.boolean("options.allowUnauthorizedCerts", false);
        let mut client = Client::connect(&Fields::given("imap", fields), any, &listening.services.outbound).await?;
        let name = listening.text("mailbox", "INBOX");
        let mailbox = client.select(&name).await?;
        let rules = listening.text("options.customEmailConfig", "");
        let words = words(&rules).map_err(NodeError::operation)?;
        let known = |field: &str| listening.cursor.as_ref()?.get(field)?.as_u64();
        // The numbers of another validity are those of other letters.
        let is_same = known("validity") == Some(mailbox.validity.into());
        let mut after = known("uid").filter(|_| is_same).and_then(|uid| u32::try_from(uid).ok()).unwrap_or(0);
        listening.opened().await?;
        loop {
            for number in client.search(&words, after).await? {
                let position = format!("{name}/{}/{number}", mailbox.validity);
                take(&mut client, listening, number, position).await?;
                after = number;
                listening.advance(json!({ "validity": mailbox.validity, "uid": number }));
            }
            let wait = if client.can("IDLE") { WAIT } else { LOOK_INTERVAL };
            client.wait(wait).await?;
        }
    }
}

/// Starts an execution with a letter, and marks it once that is durable.
async fn take(client: &mut Client, listening: &Listening, number: u32, position: String) -> Result<(), NodeError> {
    // A letter may be gone that was there a moment ago.
    let Some(bytes) = client.size(number).await? else { return Ok(()) };
    if bytes > MESSAGE_BYTES_MAX {
        let head = client.content(number, "[HEADER]<0.65536>").await?.unwrap_or_default();
        let reason = format!("the letter has {bytes} bytes, at most {MESSAGE_BYTES_MAX} are taken");
        listening.refuse(Some(position), &head, reason).await?;
    } else {
        let Some(content) = client.content(number, "[]").await? else { return Ok(()) };
        match item_of(listening, number, &content).await {
            Ok(item) => {
                let message = Message { position: Some(position), items: vec![item], bytes: content.len() };
                listening.take(message).await?;
            }
            Err(error) => listening.refuse(Some(position), &content, error.message).await?,
        }
    }
    if listening.text("postProcessAction", "read") == "read" {
        client.see(number).await?;
    }
    Ok(())
}

/// The words by which letters are looked for, as the server reads them: from a list of words and lists.
fn words(rules: &str) -> Result<String, String> {
    let rules = rules.trim();
    if rules.is_empty() {
        return Ok(UNSEEN.to_owned());
    }
    let rules: Value = serde_json::from_str(rules).map_err(|error| format!("the rules are no JSON: {error}"))?;
    let words = rule(&rules, 0)?;
    if words.is_empty() || words.chars().count() > WORDS_CHARACTERS_MAX {
        return Err(format!("the rules are empty, or longer than {WORDS_CHARACTERS_MAX} characters"));
    }
    Ok(words)
}

fn rule(rule_: &Value, depth: usize) -> Result<String, String> {
    match rule_ {
        Value::String(word) => {
            let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            match word.strip_prefix('!') {
                Some(word) if depth < 8 => Ok(format!("NOT {}", rule(&json!(word), depth + 1)?)),
                _ if is_word => Ok(word.clone()),
                _ if word.is_ascii() && !word.contains(['\r', '\n', '\0', '"', '\\']) => Ok(format!("\"{word}\"")),
                _ => Err(format!("the rule '{}' is none: use plain letters", word.escape_debug())),
            }
        }
        Value::Number(number) => Ok(number.to_string()),
        Value::Array(parts) if depth < 8 => {
            let parts: Result<Vec<String>, String> = parts.iter().map(|part| rule(part, depth + 1)).collect();
            Ok(parts?.join(" "))
        }
        _ => Err("the rules are a list of words and lists".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_become_words_of_the_server() {
        for (rules, expected) in [
            ("", "UNSEEN"),
            (r#"["UNSEEN"]"#, "UNSEEN"),
            (r#"["UNSEEN", ["SINCE", "20-May-2024"]]"#, "UNSEEN SINCE 20-May-2024"),
            (r#"[["FROM", "ann@mail.example"]]"#, r#"FROM "ann@mail.example""#),
            (r#"["!SEEN", ["LARGER", 100]]"#, "NOT SEEN LARGER 100"),
        ] {
            assert_eq!(words(rules).as_deref(), Ok(expected), "{rules}");
        }
        for rules in ["UNSEEN", "{}", r#"["a\r\nLOGOUT"]"#, r#"["a\"b"]"#, "[]", "[null]"] {
            assert!(words(rules).is_err(), "{rules}");
        }
    }
}
