//! `timeloom gateway provider`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{ask, change, show};
use crate::cli::moment::Moment;
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "query($asOf: AsOf) { gatewayProviders(asOf: $asOf) { name protocol baseUrl credentialType
  credentialName maxTokensField sendsThinking streamUsage connectMs totalMs firstTokenMs streamMs answerBytesMax
  authoritiesPem } }";

/// What a provider speaks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ProtocolName {
    /// OpenAI's: also vLLM, llama.cpp, LM Studio, Groq, OpenRouter
    Openai,
    /// Anthropic's
    Anthropic,
    /// Ollama's
    Ollama,
    /// Ollama's, for models that know no chats
    OllamaText,
    /// None: models of the model manager, computed by the server itself
    Local,
}

impl ProtocolName {
    fn graphql(self) -> &'static str {
        match self {
            Self::Openai => "OPEN_AI",
            Self::Anthropic => "ANTHROPIC",
            Self::Ollama => "OLLAMA",
            Self::OllamaText => "OLLAMA_TEXT",
            Self::Local => "LOCAL",
        }
    }

    /// The type of the credentials that hold keys of such providers.
    fn credential_type(self) -> &'static str {
        match self {
            Self::Openai | Self::Local => "openAiApi",
            Self::Anthropic => "anthropicApi",
            Self::Ollama | Self::OllamaText => "ollamaApi",
        }
    }
}

/// A provider to set.
#[derive(Debug, Args)]
pub struct SetArguments {
    /// Its name.
    name: String,
    /// What it speaks.
    #[arg(long, value_enum)]
    protocol: ProtocolName,
    /// Where it is, such as https://api.openai.com/v1; absent for local.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Name of the credential that holds its key in a field apiKey, token or value.
    #[arg(long, value_name = "NAME")]
    credential: Option<String>,
    /// Type of that credential; absent = openAiApi, anthropicApi or ollamaApi, by the protocol.
    #[arg(long, value_name = "TYPE", requires = "credential")]
    credential_type: Option<String>,
    /// Call the most tokens of an answer max_tokens, as engines of others know them.
    #[arg(long)]
    max_tokens_field: bool,
    /// Send thoughts of earlier answers back.
    #[arg(long)]
    sends_thinking: bool,
    /// Never ask a stream to end with the tokens that it took.
    #[arg(long)]
    no_stream_usage: bool,
    /// How long it may take to be connected to, in milliseconds.
    #[arg(long, value_name = "MS")]
    connect_ms: Option<u64>,
    /// How long it may take to answer as a whole, in milliseconds.
    #[arg(long, value_name = "MS")]
    total_ms: Option<u64>,
    /// How long it may take to begin to answer piece by piece, in milliseconds.
    #[arg(long, value_name = "MS")]
    first_token_ms: Option<u64>,
    /// How long it may take to answer piece by piece, in milliseconds.
    #[arg(long, value_name = "MS")]
    stream_ms: Option<u64>,
    /// File with the certificates of the authorities that are trusted, as PEM; absent = those that browsers trust.
    #[arg(long, value_name = "FILE")]
    authorities: Option<PathBuf>,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
pub enum ProviderVerb {
    /// Take a provider in, or another one in its place
    Set(Box<SetArguments>),
    /// List the providers; their keys are in no list
    List {
        /// As they were at this moment: a position, a time or a day; absent = now.
        #[arg(long, value_name = "MOMENT")]
        at: Option<Moment>,
        #[command(flatten)]
        access: Access,
    },
    /// Ask a provider no more
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        access: Access,
    },
}

impl ProviderVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Set(arguments) => set(*arguments, config).await,
            Self::Remove { name, access } => {
                let done = format!("removed provider {name}");
                let names = ("removeGatewayProvider", "RemoveGatewayInput");
                change(&access, config, names, json!({ "name": name }), &done).await
            }
            Self::List { at, access } => {
                let as_of = at.map(Moment::as_of);
                let found = ask(&access, config, LIST, json!({ "asOf": as_of }), "gatewayProviders").await?;
                show(&access, &found, &["NAME", "PROTOCOL", "URL", "CREDENTIAL"], |provider| {
                    ["/name", "/protocol", "/baseUrl", "/credentialName"]
                        .map(|path| output::text(provider, path))
                        .to_vec()
                });
                Ok(())
            }
        }
    }
}

async fn set(arguments: SetArguments, config: &Config) -> Result<(), Failure> {
    let SetArguments { name, protocol, credential, access, .. } = arguments;
    let authorities = match &arguments.authorities {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            Some(read.with_context(|| format!("{} cannot be read", path.display()))?)
        }
        None => None,
    };
    let usual = || protocol.credential_type().to_owned();
    let credential_type = credential.as_ref().map(|_| arguments.credential_type.unwrap_or_else(usual));
    let input = json!({
        "name": name,
        "protocol": protocol.graphql(),
        "baseUrl": arguments.url,
        "credentialType": credential_type,
        "credentialName": credential,
        "maxTokensField": arguments.max_tokens_field,
        "sendsThinking": arguments.sends_thinking,
        "streamUsage": !arguments.no_stream_usage,
        "connectMs": arguments.connect_ms,
        "totalMs": arguments.total_ms,
        "firstTokenMs": arguments.first_token_ms,
        "streamMs": arguments.stream_ms,
        "authoritiesPem": authorities,
    });
    let done = format!("set provider {name}");
    change(&access, config, ("setGatewayProvider", "SetGatewayProviderInput"), input, &done).await
}
