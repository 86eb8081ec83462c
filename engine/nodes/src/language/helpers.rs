//! Node types whose nodes serve others and never run by themselves: language models, embeddings, output parsers, memories.

use timeloom_domain::catalogue::{HelperPorts, NodeDefinition, NodeRole, ParameterDefinition, ParameterKind, Ports};
use timeloom_domain::definition::Node;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use super::{LANGUAGE_MODEL, OUTPUT_PARSER};
use crate::describe::{optional, ports};

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
}

const NO_PORTS: Ports = ports(0, 0);

const MODEL: ParameterDefinition =
    optional("model", ParameterKind::Structure, "The route of the gateway: its name is what stands here.");
const MODEL_NAME: ParameterDefinition =
    optional("modelName", ParameterKind::Text, "The route of the gateway: its name is what stands here.");
const OPTIONS: ParameterDefinition = optional(
    "options",
    ParameterKind::Structure,
    "temperature, maxTokens, topP, topK, frequencyPenalty, presencePenalty.",
);

const CHAT: &[ParameterDefinition] = &[MODEL, OPTIONS];
const CHAT_NAMED: &[ParameterDefinition] = &[MODEL_NAME, OPTIONS];
const EMBEDDING: &[ParameterDefinition] = &[MODEL, optional("options", ParameterKind::Structure, "dimensions.")];
const EMBEDDING_NAMED: &[ParameterDefinition] = &[MODEL_NAME];
const LOADER: &[ParameterDefinition] = &[
    optional("dataType", ParameterKind::Options(&["json"]), "The items' JSON."),
    optional(
        "jsonMode",
        ParameterKind::Options(&["allInputData", "expressionData"]),
        "All of it, or what `jsonData` says.",
    ),
    optional("jsonData", ParameterKind::Text, "The text."),
    optional("options", ParameterKind::Structure, "metadata: what else is kept with it."),
];
const SPLITTER: &[ParameterDefinition] = &[
    optional("chunkSize", ParameterKind::Number, "Characters of a part."),
    optional("chunkOverlap", ParameterKind::Number, "Characters that a part has in common with the one before."),
];
const PARSER: &[ParameterDefinition] = &[
    optional("schemaType", ParameterKind::Options(&["fromJson", "manual"]), "Whether an example or a schema is given."),
    optional("jsonSchemaExample", ParameterKind::Text, "An example of the data, as JSON."),
    optional("inputSchema", ParameterKind::Text, "The JSON Schema of the data."),
    optional("jsonSchema", ParameterKind::Text, "Version 1: the JSON Schema of the data."),
];

const MEMORY: &[ParameterDefinition] = &[
    optional(
        "sessionIdType",
        ParameterKind::Options(&["fromInput", "customKey"]),
        "Whether the session is the item's field sessionId, or `sessionKey`.",
    ),
    optional("sessionKey", ParameterKind::Text, "The session."),
    optional("contextWindowLength", ParameterKind::Number, "Exchanges that are remembered, 1 to 100; 5 when absent."),
];
const TOOL: &[ParameterDefinition] = &[
    optional("description", ParameterKind::Text, "What the model is told of it."),
    optional("toolDescription", ParameterKind::Text, "What the model is told of it."),
];

const fn chat(node_type: &'static str, display_name: &'static str, versions: &'static [f64]) -> Helper {
    let description = "Serves as the language model of a node: names a route of the gateway.";
    Helper { node_type, display_name, description, versions, serves: LANGUAGE_MODEL, takes: &[], parameters: CHAT }
}

const fn embedding(node_type: &'static str, display_name: &'static str, versions: &'static [f64]) -> Helper {
    let description = "Serves as the embedding of a node: names a route of the gateway.";
    Helper { node_type, display_name, description, versions, serves: "ai_embedding", takes: &[], parameters: EMBEDDING }
}

const fn memory(node_type: &'static str, display_name: &'static str, versions: &'static [f64]) -> Helper {
    let description = "Serves as the memory of an agent: says which session it remembers, and how much of it.";
    Helper { node_type, display_name, description, versions, serves: "ai_memory", takes: &[], parameters: MEMORY }
}

const fn tool(
    node_type: &'static str,
    display_name: &'static str,
    versions: &'static [f64],
    description: &'static str,
) -> Helper {
    Helper { node_type, display_name, description, versions, serves: "ai_tool", takes: &[], parameters: TOOL }
}

const fn splitter(node_type: &'static str, display_name: &'static str) -> Helper {
    let description = "Serves as the text splitter of a document loader: says how long the parts of a text are.";
    let (versions, parameters): (&'static [f64], _) = (&[1.0], SPLITTER);
    Helper { node_type, display_name, description, versions, serves: "ai_textSplitter", takes: &[], parameters }
}

/// All of them.
pub(crate) fn helpers() -> Vec<Helper> {
    let mut helpers = of_models();
    helpers.extend(of_agents());
    helpers
}

/// Memories and tools.
fn of_agents() -> Vec<Helper> {
    vec![
        memory("@n8n/n8n-nodes-langchain.memoryBufferWindow", "Simple Memory", &[1.0, 1.1, 1.2, 1.3]),
        memory("@n8n/n8n-nodes-langchain.memoryMongoDbChat", "MongoDB Chat Memory", &[1.0]),
        memory("@n8n/n8n-nodes-langchain.memoryPostgresChat", "Postgres Chat Memory", &[1.0, 1.1, 1.2, 1.3]),
        memory("@n8n/n8n-nodes-langchain.memoryRedisChat", "Redis Chat Memory", &[1.0, 1.1, 1.2, 1.3, 1.4, 1.5]),
        tool(
            "@n8n/n8n-nodes-langchain.toolCalculator",
            "Calculator",
            &[1.0],
            "Serves as a tool of an agent: computes arithmetic.",
        ),
        tool(
            "@n8n/n8n-nodes-langchain.toolCode",
            "Code Tool",
            &[1.0, 1.1, 1.2, 1.3],
            "Serves as a tool of an agent: runs JavaScript.",
        ),
        tool(
            "@n8n/n8n-nodes-langchain.toolHttpRequest",
            "HTTP Request Tool",
            &[1.0, 1.1],
            "Serves as a tool of an agent: sends a request.",
        ),
        tool(
            "@n8n/n8n-nodes-langchain.toolWorkflow",
            "Call n8n Workflow Tool",
            &[1.0, 1.1, 1.2, 1.3, 2.0, 2.1, 2.2],
            "Serves as a tool of an agent: runs a workflow.",
        ),
        tool(
            "n8n-nodes-base.cryptoTool",
            "Crypto Tool",
            &[1.0, 2.0],
            "Serves as a tool of an agent: does what Crypto does, filled in by $fromAI.",
        ),
        tool(
            "n8n-nodes-base.dateTimeTool",
            "Date & Time Tool",
            &[1.0, 2.0],
            "Serves as a tool of an agent: does what Date & Time does, filled in by $fromAI.",
        ),
        tool(
            "n8n-nodes-base.graphqlTool",
            "GraphQL Tool",
            &[1.0, 1.1],
            "Serves as a tool of an agent: does what GraphQL does, filled in by $fromAI.",
        ),
        tool(
            "n8n-nodes-base.httpRequestTool",
            "HTTP Request Tool",
            &[1.0, 2.0, 3.0, 4.0, 4.1, 4.2, 4.3],
            "Serves as a tool of an agent: does what HTTP Request does, filled in by $fromAI.",
        ),
        tool(
            "n8n-nodes-base.rssFeedReadTool",
            "RSS Read Tool",
            &[1.0, 1.1, 1.2],
            "Serves as a tool of an agent: does what RSS Read does, filled in by $fromAI.",
        ),
    ]
}

/// Models, and what serves chains and vector stores.
fn of_models() -> Vec<Helper> {
    vec![
        embedding("@n8n/n8n-nodes-langchain.embeddingsGoogleGemini", "Embeddings Google Gemini", &[1.0])
            .with(EMBEDDING_NAMED),
        embedding("@n8n/n8n-nodes-langchain.embeddingsMistralCloud", "Embeddings Mistral Cloud", &[1.0]),
        embedding("@n8n/n8n-nodes-langchain.embeddingsOllama", "Embeddings Ollama", &[1.0]),
        embedding("@n8n/n8n-nodes-langchain.embeddingsOpenAi", "Embeddings OpenAI", &[1.0, 1.1, 1.2]),
        chat("@n8n/n8n-nodes-langchain.lmChatAnthropic", "Anthropic Chat Model", &[1.0, 1.1, 1.2, 1.3]),
        chat("@n8n/n8n-nodes-langchain.lmChatDeepSeek", "DeepSeek Chat Model", &[1.0]),
        chat("@n8n/n8n-nodes-langchain.lmChatGoogleGemini", "Google Gemini Chat Model", &[1.0]).with(CHAT_NAMED),
        chat("@n8n/n8n-nodes-langchain.lmChatGroq", "Groq Chat Model", &[1.0]),
        chat("@n8n/n8n-nodes-langchain.lmChatMistralCloud", "Mistral Cloud Chat Model", &[1.0]),
        chat("@n8n/n8n-nodes-langchain.lmChatOllama", "Ollama Chat Model", &[1.0]),
        chat("@n8n/n8n-nodes-langchain.lmChatOpenAi", "OpenAI Chat Model", &[1.0, 1.1, 1.2, 1.3]),
        chat("@n8n/n8n-nodes-langchain.lmChatOpenRouter", "OpenRouter Chat Model", &[1.0]),
        Helper {
            node_type: "@n8n/n8n-nodes-langchain.documentDefaultDataLoader",
            display_name: "Default Data Loader",
            description: "Serves as the document loader of a node: says which text of an item is kept.",
            versions: &[1.0, 1.1],
            serves: "ai_document",
            takes: &["ai_textSplitter"],
            parameters: LOADER,
        },
        Helper {
            node_type: "@n8n/n8n-nodes-langchain.outputParserStructured",
            display_name: "Structured Output Parser",
            description: "Serves as the output parser of a node: says what the data look like that a model is to give.",
            versions: &[1.0, 1.1, 1.2, 1.3],
            serves: OUTPUT_PARSER,
            takes: &[LANGUAGE_MODEL],
            parameters: PARSER,
        },
        splitter("@n8n/n8n-nodes-langchain.textSplitterCharacterTextSplitter", "Character Text Splitter"),
        splitter(
            "@n8n/n8n-nodes-langchain.textSplitterRecursiveCharacterTextSplitter",
            "Recursive Character Text Splitter",
        ),
    ]
}

impl Helper {
    /// The same with other parameters: some types name their model otherwise.
    const fn with(self, parameters: &'static [ParameterDefinition]) -> Self {
        Self { parameters, ..self }
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
