//! Node types whose nodes serve others and never run by themselves: language models, embeddings, output parsers, memories.

use timeloom_domain::catalogue::{
    CredentialDefinition, HelperPorts, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition, Ports,
};
use timeloom_domain::definition::Node;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use super::{LANGUAGE_MODEL, OUTPUT_PARSER, parameters};
use crate::describe::{palette, ports};

/// A node type whose nodes serve others.
pub(crate) struct Helper {
    node_type: &'static str,
    display_name: &'static str,
    description: &'static str,
    versions: &'static [f64],
    /// As what it is attached.
    serves: &'static str,
    /// What may be attached to it.
    takes: &'static [&'static str],
    parameters: &'static [ParameterDefinition],
    /// The credentials of the request that it sends.
    credentials: &'static [CredentialDefinition],
    icon: &'static str,
    aliases: &'static [&'static str],
}

/// What most of them have nothing to say about.
const BLANK: Helper = Helper {
    node_type: "",
    display_name: "",
    description: "",
    versions: &[1.0],
    serves: "",
    takes: &[],
    parameters: &[],
    credentials: &[],
    icon: "",
    aliases: &[],
};

const NO_PORTS: Ports = ports(0, 0);

const fn chat(
    node_type: &'static str,
    display_name: &'static str,
    versions: &'static [f64],
    parameters: &'static [ParameterDefinition],
) -> Helper {
    let description = "Serves as the language model of a node: names a route of the gateway.";
    let (icon, aliases): (_, &'static [&'static str]) = ("message-square-text", &["llm", "chat model", "gateway"]);
    Helper {
        node_type,
        display_name,
        description,
        versions,
        serves: LANGUAGE_MODEL,
        parameters,
        icon,
        aliases,
        ..BLANK
    }
}

const fn embedding(
    node_type: &'static str,
    display_name: &'static str,
    versions: &'static [f64],
    parameters: &'static [ParameterDefinition],
) -> Helper {
    let description = "Serves as the embedding of a node: names a route of the gateway.";
    let (icon, aliases): (_, &'static [&'static str]) = ("orbit", &["vector", "embed", "gateway"]);
    Helper {
        node_type,
        display_name,
        description,
        versions,
        serves: "ai_embedding",
        parameters,
        icon,
        aliases,
        ..BLANK
    }
}

const fn memory(node_type: &'static str, display_name: &'static str, versions: &'static [f64]) -> Helper {
    let description = "Serves as the memory of an agent: says which session it remembers, and how much of it.";
    let (icon, aliases): (_, &'static [&'static str]) = ("history", &["memory", "session", "conversation"]);
    let parameters = parameters::MEMORY;
    Helper { node_type, display_name, description, versions, serves: "ai_memory", parameters, icon, aliases, ..BLANK }
}

const fn tool(
    node_type: &'static str,
    display_name: &'static str,
    versions: &'static [f64],
    parameters: &'static [ParameterDefinition],
    icon: &'static str,
    description: &'static str,
) -> Helper {
    let aliases: &'static [&'static str] = &["tool", "function"];
    Helper { node_type, display_name, description, versions, serves: "ai_tool", parameters, icon, aliases, ..BLANK }
}

const fn splitter(node_type: &'static str, display_name: &'static str) -> Helper {
    let description = "Serves as the text splitter of a document loader: says how long the parts of a text are.";
    let (icon, aliases): (_, &'static [&'static str]) = ("scissors", &["chunk", "split"]);
    let parameters = parameters::SPLITTER;
    Helper { node_type, display_name, description, serves: "ai_textSplitter", parameters, icon, aliases, ..BLANK }
}

/// All of them.
pub(crate) fn helpers() -> Vec<Helper> {
    let mut helpers = of_models();
    helpers.extend(memories().into_iter().chain(tools()).chain(nodes_as_tools()));
    helpers
}

/// Memories.
fn memories() -> Vec<Helper> {
    vec![
        memory("@n8n/n8n-nodes-langchain.memoryBufferWindow", "Simple Memory", &[1.0, 1.1, 1.2, 1.3]),
        memory("@n8n/n8n-nodes-langchain.memoryMongoDbChat", "MongoDB Chat Memory", &[1.0]),
        memory("@n8n/n8n-nodes-langchain.memoryPostgresChat", "Postgres Chat Memory", &[1.0, 1.1, 1.2, 1.3]),
        memory("@n8n/n8n-nodes-langchain.memoryRedisChat", "Redis Chat Memory", &[1.0, 1.1, 1.2, 1.3, 1.4, 1.5]),
    ]
}

/// Tools of their own.
fn tools() -> Vec<Helper> {
    vec![
        tool(
            "@n8n/n8n-nodes-langchain.mcpClientTool",
            "MCP Client Tool",
            &[1.0, 1.1, 1.2],
            parameters::MCP,
            "plug",
            "Serves as tools of an agent: those of a server of the Model Context Protocol.",
        )
        .with_credentials(parameters::MCP_CREDENTIALS),
        tool(
            "@n8n/n8n-nodes-langchain.toolCalculator",
            "Calculator",
            &[1.0],
            parameters::CALCULATOR,
            "calculator",
            "Serves as a tool of an agent: computes arithmetic.",
        ),
        tool(
            "@n8n/n8n-nodes-langchain.toolCode",
            "Code Tool",
            &[1.0, 1.1, 1.2, 1.3],
            parameters::CODE,
            "code",
            "Serves as a tool of an agent: runs JavaScript.",
        ),
        tool(
            "@n8n/n8n-nodes-langchain.toolHttpRequest",
            "HTTP Request Tool",
            &[1.0, 1.1],
            parameters::REQUEST,
            "globe",
            "Serves as a tool of an agent: sends a request.",
        )
        .with_credentials(crate::http_request::CREDENTIALS),
        tool(
            "@n8n/n8n-nodes-langchain.toolWorkflow",
            "Call n8n Workflow Tool",
            &[1.0, 1.1, 1.2, 1.3, 2.0, 2.1, 2.2],
            parameters::WORKFLOW,
            "workflow",
            "Serves as a tool of an agent: runs a workflow.",
        ),
    ]
}

/// Nodes that serve as tools.
fn nodes_as_tools() -> Vec<Helper> {
    vec![
        tool(
            "n8n-nodes-base.cryptoTool",
            "Crypto Tool",
            &[1.0, 2.0],
            parameters::CRYPTO_TOOL,
            "key-round",
            "Serves as a tool of an agent: does what Crypto does, filled in by $fromAI.",
        )
        .with_credentials(crate::crypto::CREDENTIALS),
        tool(
            "n8n-nodes-base.dataTableTool",
            "Data Table Tool",
            &[1.0, 1.1],
            parameters::DATA_TABLE_TOOL,
            "sheet",
            "Serves as a tool of an agent: does what Data Table does, filled in by $fromAI.",
        ),
        tool(
            "n8n-nodes-base.dateTimeTool",
            "Date & Time Tool",
            &[1.0, 2.0],
            parameters::DATE_TIME_TOOL,
            "calendar-clock",
            "Serves as a tool of an agent: does what Date & Time does, filled in by $fromAI.",
        ),
        tool(
            "n8n-nodes-base.graphqlTool",
            "GraphQL Tool",
            &[1.0, 1.1],
            parameters::GRAPHQL_TOOL,
            "waypoints",
            "Serves as a tool of an agent: does what GraphQL does, filled in by $fromAI.",
        )
        .with_credentials(crate::graphql::CREDENTIALS),
        tool(
            "n8n-nodes-base.httpRequestTool",
            "HTTP Request Tool",
            &[1.0, 2.0, 3.0, 4.0, 4.1, 4.2, 4.3],
            parameters::HTTP_TOOL,
            "globe",
            "Serves as a tool of an agent: does what HTTP Request does, filled in by $fromAI.",
        )
        .with_credentials(crate::http_request::ALL_CREDENTIALS),
        tool(
            "n8n-nodes-base.rssFeedReadTool",
            "RSS Read Tool",
            &[1.0, 1.1, 1.2],
            parameters::FEED_TOOL,
            "rss",
            "Serves as a tool of an agent: does what RSS Read does, filled in by $fromAI.",
        ),
    ]
}

/// Models, and what serves chains and vector stores.
fn of_models() -> Vec<Helper> {
    vec![
        embedding(
            "@n8n/n8n-nodes-langchain.embeddingsGoogleGemini",
            "Embeddings Google Gemini",
            &[1.0],
            parameters::EMBEDDING_NAMED,
        ),
        embedding(
            "@n8n/n8n-nodes-langchain.embeddingsMistralCloud",
            "Embeddings Mistral Cloud",
            &[1.0],
            parameters::EMBEDDING,
        ),
        embedding("@n8n/n8n-nodes-langchain.embeddingsOllama", "Embeddings Ollama", &[1.0], parameters::EMBEDDING),
        embedding(
            "@n8n/n8n-nodes-langchain.embeddingsOpenAi",
            "Embeddings OpenAI",
            &[1.0, 1.1, 1.2],
            parameters::EMBEDDING_OPENAI,
        ),
        chat(
            "@n8n/n8n-nodes-langchain.lmChatAnthropic",
            "Anthropic Chat Model",
            &[1.0, 1.1, 1.2, 1.3],
            parameters::ANTHROPIC,
        ),
        chat("@n8n/n8n-nodes-langchain.lmChatDeepSeek", "DeepSeek Chat Model", &[1.0], parameters::OPENAI_LIKE),
        chat("@n8n/n8n-nodes-langchain.lmChatGoogleGemini", "Google Gemini Chat Model", &[1.0], parameters::GEMINI),
        chat("@n8n/n8n-nodes-langchain.lmChatGroq", "Groq Chat Model", &[1.0], parameters::GROQ),
        chat("@n8n/n8n-nodes-langchain.lmChatMistralCloud", "Mistral Cloud Chat Model", &[1.0], parameters::MISTRAL),
        chat("@n8n/n8n-nodes-langchain.lmChatOllama", "Ollama Chat Model", &[1.0], parameters::OLLAMA),
        chat("@n8n/n8n-nodes-langchain.lmChatOpenAi", "OpenAI Chat Model", &[1.0, 1.1, 1.2, 1.3], parameters::OPENAI),
        chat("@n8n/n8n-nodes-langchain.lmChatOpenRouter", "OpenRouter Chat Model", &[1.0], parameters::OPENAI_LIKE),
        Helper {
            node_type: "@n8n/n8n-nodes-langchain.documentDefaultDataLoader",
            display_name: "Default Data Loader",
            description: "Serves as the document loader of a node: says which text of an item is kept.",
            versions: &[1.0, 1.1],
            serves: "ai_document",
            takes: &["ai_textSplitter"],
            parameters: parameters::LOADER,
            icon: "file-text",
            aliases: &["document", "loader", "rag"],
            ..BLANK
        },
        Helper {
            node_type: "@n8n/n8n-nodes-langchain.outputParserStructured",
            display_name: "Structured Output Parser",
            description: "Serves as the output parser of a node: says what the data look like that a model is to give.",
            versions: &[1.0, 1.1, 1.2, 1.3],
            serves: OUTPUT_PARSER,
            takes: &[LANGUAGE_MODEL],
            parameters: parameters::PARSER,
            icon: "braces",
            aliases: &["json", "schema", "structured"],
            ..BLANK
        },
        splitter("@n8n/n8n-nodes-langchain.textSplitterCharacterTextSplitter", "Character Text Splitter"),
        splitter(
            "@n8n/n8n-nodes-langchain.textSplitterRecursiveCharacterTextSplitter",
            "Recursive Character Text Splitter",
        ),
    ]
}

impl Helper {
    /// The same with the credentials of the request that it sends.
    const fn with_credentials(self, credentials: &'static [CredentialDefinition]) -> Self {
        Self { credentials, ..self }
    }
}

impl NodeType for Helper {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: self.node_type,
            display_name: self.display_name,
            description: self.description,
            versions: self.versions,
            role: NodeRole::Helper,
            ports: NO_PORTS,
            parameters: self.parameters,
            palette: palette(NodeGroup::AiParts, self.icon, self.aliases),
            credentials: self.credentials,
            ..NodeDefinition::BLANK
        }
    }

    fn helper_ports(&self, _node: &Node) -> HelperPorts {
        let ports = HelperPorts::serving(self.serves);
        self.takes.iter().fold(ports, |ports, kind| ports.taking(kind))
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Helper {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let message = format!("'{}' does not run by itself", run.node.name);
        Err(NodeError::operation(message).described("attach it to a node that it serves, and lead no items to it"))
    }
}
