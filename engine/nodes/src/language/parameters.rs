//! The parameters of nodes that serve others: language models, embeddings, memories, parsers, tools.

use timeloom_domain::catalogue::{
    Choice, Condition, CredentialDefinition, Language, ParameterDefinition, ResourceMode, Section,
};

use crate::describe::{
    choice, code, collection, is, joined, json, list, long_text, many, mode, needs, number, on, options, resource,
    structure, switch, text, told,
};
use crate::{crypto, data_table, date_time, graphql, http_request, rss_feed_read};

const MODEL: ParameterDefinition =
    text("model", "The route of the gateway: its name is what stands here.").like("gpt-5-mini").naming("route");
const MODEL_NAME: ParameterDefinition = text("modelName", "The route of the gateway: its name is what stands here.")
    .called("Model")
    .like("gemini-flash")
    .naming("route");
const CHOSEN: ParameterDefinition =
    resource("model", "route", WAYS, "The route of the gateway: its name is what stands here.");
const WAYS: &[ResourceMode] = &[mode("list", "From list", None), mode("id", "ID", Some("gpt-5-mini"))];

const FREQUENCY: ParameterDefinition =
    number("frequencyPenalty", "How much words count against themselves that were said often, -2 to 2.");
const PRESENCE: ParameterDefinition =
    number("presencePenalty", "How much words count against themselves that were said at all, -2 to 2.");
const TEMPERATURE: ParameterDefinition =
    number("temperature", "How freely the model chooses its words: 0 is the most likely one.")
        .called("Sampling temperature")
        .like("0.7");
const TOP_K: ParameterDefinition = number("topK", "Among how many words the model chooses.").called("Top K");
const TOP_P: ParameterDefinition =
    number("topP", "Among the words of which share of likelihood the model chooses, 0 to 1.").called("Top P");

/// The longest answer, which has another name with each provider.
const fn longest(name: &'static str) -> ParameterDefinition {
    number(name, "Longest answer, in tokens.").called("Maximum number of tokens")
}

const OF_OPENAI: ParameterDefinition = collection(
    "options",
    &[
        FREQUENCY,
        longest("maxTokens"),
        options(
            "responseFormat",
            &[choice("text", "Text"), told("json_object", "JSON", "The answer is JSON.")],
            "What the answer is.",
        )
        .or_text("text"),
        PRESENCE,
        TEMPERATURE,
        TOP_P,
    ],
    "How the model answers.",
);
const OF_ANTHROPIC: ParameterDefinition =
    collection("options", &[longest("maxTokensToSample"), TEMPERATURE, TOP_K, TOP_P], "How the model answers.");

/// A model that is written.
pub(super) const OPENAI_LIKE: &[ParameterDefinition] = &[MODEL, OF_OPENAI];
/// OpenAI.
pub(super) const OPENAI: &[ParameterDefinition] = &[MODEL.until(1.1), CHOSEN.since(1.2), OF_OPENAI];
/// Anthropic.
pub(super) const ANTHROPIC: &[ParameterDefinition] = &[MODEL.until(1.2), CHOSEN.since(1.3), OF_ANTHROPIC];
/// Google Gemini.
pub(super) const GEMINI: &[ParameterDefinition] = &[
    MODEL_NAME,
    collection("options", &[longest("maxOutputTokens"), TEMPERATURE, TOP_K, TOP_P], "How the model answers."),
];
/// Groq.
pub(super) const GROQ: &[ParameterDefinition] =
    &[MODEL, collection("options", &[longest("maxTokensToSample"), TEMPERATURE], "How the model answers.")];
/// Mistral.
pub(super) const MISTRAL: &[ParameterDefinition] =
    &[MODEL, collection("options", &[longest("maxTokens"), TEMPERATURE, TOP_P], "How the model answers.")];
/// Ollama.
pub(super) const OLLAMA: &[ParameterDefinition] = &[
    MODEL,
    collection(
        "options",
        &[
            TEMPERATURE,
            TOP_K,
            TOP_P,
            FREQUENCY,
            longest("numPredict"),
            options(
                "format",
                &[choice("default", "Default"), told("json", "JSON", "The answer is JSON.")],
                "What the answer is.",
            )
            .called("Output format")
            .or_text("default"),
            PRESENCE,
        ],
        "How the model answers.",
    ),
];

/// An embedding that is written.
pub(super) const EMBEDDING: &[ParameterDefinition] = &[MODEL];
/// OpenAI's, whose vectors may be shorter.
pub(super) const EMBEDDING_OPENAI: &[ParameterDefinition] =
    &[MODEL, collection("options", &[number("dimensions", "How many numbers a vector has.")], "What the vectors are.")];
/// Gemini's.
pub(super) const EMBEDDING_NAMED: &[ParameterDefinition] = &[MODEL_NAME];

/// A document loader.
pub(super) const LOADER: &[ParameterDefinition] = &[
    options("dataType", &[choice("json", "JSON")], "From where the text is.").called("Type of data").or_text("json"),
    options(
        "jsonMode",
        &[
            told("allInputData", "Load all input data", "All of the item's JSON."),
            told("expressionData", "Load specific data", "A text of your own."),
        ],
        "What is kept.",
    )
    .called("Mode")
    .or_text("allInputData"),
    long_text("jsonData", "The text.")
        .called("Data")
        .like("{{ $json.text }}")
        .or_text("")
        .when(&[is("jsonMode", &["expressionData"])]),
    collection("options", &[list("metadata", METADATA, "What else is kept with the text.")], "What else to decide."),
];
const METADATA: &[Section] =
    &[many("metadataValues", "Value", &[text("name", "Its name."), text("value", "The value.")])];

/// A text splitter.
pub(super) const SPLITTER: &[ParameterDefinition] = &[
    number("chunkSize", "Characters of a part.").or_number(1_000.0),
    number("chunkOverlap", "Characters that a part has in common with the one before.").or_number(0.0),
];

const EXAMPLE: ParameterDefinition = json("jsonSchemaExample", "An example of the data.")
    .called("JSON example")
    .like(r#"{"city": "Lyon"}"#)
    .when(&[is("schemaType", &["fromJson"])]);
const SCHEMA: ParameterDefinition =
    json("inputSchema", "The JSON Schema of the data.").when(&[is("schemaType", &["manual"])]);
const SCHEMA_TYPE: ParameterDefinition = options(
    "schemaType",
    &[
        told("fromJson", "Generate from JSON example", "An example of the data."),
        told("manual", "Define using JSON Schema", "A schema of the data."),
    ],
    "What says what the data look like.",
)
.or_text("fromJson");

/// An output parser.
pub(super) const PARSER: &[ParameterDefinition] = &[
    SCHEMA_TYPE.since(1.1),
    EXAMPLE.since(1.1),
    SCHEMA.since(1.1),
    json("jsonSchema", "The JSON Schema of the data.").until(1.0),
];

/// A memory.
pub(super) const MEMORY: &[ParameterDefinition] = &[
    options(
        "sessionIdType",
        &[
            told("fromInput", "Connected Chat Trigger node", "The item's field sessionId."),
            told("customKey", "Define below", "A session of your own."),
        ],
        "Which session is remembered.",
    )
    .called("Session ID")
    .or_text("fromInput"),
    text("sessionKey", "The session; an expression where it is that of an item.")
        .called("Key")
        .like("{{ $json.customer }}")
        .or_text("")
        .when(&[is("sessionIdType", &["customKey"])]),
    number("contextWindowLength", "Exchanges that are remembered, 1 to 100.").or_number(5.0),
];

const TOLD: ParameterDefinition =
    long_text("description", "What the model is told of it, so that it knows when to use it.")
        .like("Call this tool to find the orders of a customer.");
/// As what newer tools have it.
const TOLD_NEWER: ParameterDefinition = ParameterDefinition { name: "toolDescription", ..TOLD };
const NAME: ParameterDefinition =
    text("name", "The tool's name for the model; the node's own when empty.").like("orders").or_text("");

const OWN_SCHEMA: ParameterDefinition =
    switch("specifyInputSchema", "Whether the arguments are described; they are one text otherwise.").or_false();
const OWN: &[Condition] = &[on("specifyInputSchema")];

const MCP_TRANSPORT: &[Choice] =
    &[choice("httpStreamable", "HTTP Streamable"), choice("sse", "Server-Sent Events, the older way")];
const MCP_SELECTED: &[Condition] = &[is("include", &["selected"])];
const MCP_EXCEPT: &[Condition] = &[is("include", &["except"])];

/// What lets an agent in at a server of tools.
pub(super) const MCP_CREDENTIALS: &[CredentialDefinition] = &[
    needs("httpBearerAuth", &[is("authentication", &["bearerAuth"])]),
    needs("httpHeaderAuth", &[is("authentication", &["headerAuth"])]),
    needs("mcpOAuth2Api", &[is("authentication", &["mcpOAuth2Api"])]),
];
/// Tools of a server of the Model Context Protocol.
pub(super) const MCP: &[ParameterDefinition] = &[
    text("endpointUrl", "The server's address, or the name of a command of this deployment.")
        .called("Endpoint")
        .like("https://mcp.example.org/mcp")
        .needed()
        .since(1.1),
    text("sseEndpoint", "The server's address.").called("SSE Endpoint").needed().until(1.0),
    options("serverTransport", MCP_TRANSPORT, "Whichever it is: a server is spoken with as it speaks.")
        .or_text("sse")
        .since(1.1)
        .until(1.1),
    options("serverTransport", MCP_TRANSPORT, "Whichever it is: a server is spoken with as it speaks.")
        .or_text("httpStreamable")
        .since(1.2),
    options(
        "authentication",
        &[
            choice("none", "None"),
            choice("bearerAuth", "Bearer Auth"),
            choice("headerAuth", "Header Auth"),
            choice("mcpOAuth2Api", "OAuth2"),
        ],
        "By what the server lets this client in.",
    )
    .or_text("none"),
    options(
        "include",
        &[choice("all", "All"), choice("selected", "Selected"), choice("except", "All except")],
        "Which tools the agent gets.",
    )
    .called("Tools to include")
    .or_text("all"),
    structure("includeTools", "The names of the tools that the agent gets.").when(MCP_SELECTED),
    structure("excludeTools", "The names of the tools that the agent does not get.").when(MCP_EXCEPT),
    collection(
        "options",
        &[number("timeout", "Longest call, in milliseconds.").or_number(60_000.0)],
        "What else to decide.",
    ),
];

/// The calculator has nothing to say.
pub(super) const CALCULATOR: &[ParameterDefinition] = &[];
/// A script.
pub(super) const CODE: &[ParameterDefinition] = &[
    NAME,
    TOLD,
    options("language", &[choice("javaScript", "JavaScript")], "Language of the script.").or_text("javaScript"),
    code("jsCode", Language::JavaScript, "The script: it reads `query`, and returns a text.")
        .called("JavaScript")
        .like("return query.toUpperCase();"),
    OWN_SCHEMA,
    SCHEMA_TYPE.when(OWN),
    EXAMPLE,
    SCHEMA,
];

const FROM_LIST: &[ResourceMode] =
    &[mode("list", "From list", None), mode("id", "By ID", Some("The id or the name of a workflow"))];

/// Another workflow.
pub(super) const WORKFLOW: &[ParameterDefinition] = &[
    NAME.until(2.1),
    TOLD,
    options(
        "source",
        &[
            told("database", "Database", "A workflow of this server."),
            told("parameter", "Define below", "The JSON of a workflow."),
        ],
        "Where the workflow comes from.",
    )
    .or_text("database"),
    text("workflowId", "The workflow: its id, the id in its file, or its name.")
        .called("Workflow ID")
        .when(&[is("source", &["database"])])
        .until(1.1),
    resource("workflowId", "workflow", FROM_LIST, "The workflow.")
        .called("Workflow")
        .when(&[is("source", &["database"])])
        .since(1.2),
    json("workflowJson", "The workflow as JSON.").called("Workflow JSON").when(&[is("source", &["parameter"])]),
    structure("workflowInputs", "Fields for the workflow; $fromAI lets the model fill them.")
        .when(&[is("source", &["database"])])
        .since(2.0),
    list("fields", &[many("values", "Value", FIELD)], "Further fields for the workflow.")
        .called("Extra workflow inputs")
        .until(1.3),
    OWN_SCHEMA.until(1.3),
    SCHEMA_TYPE.when(OWN).until(1.3),
    EXAMPLE.until(1.3),
    SCHEMA.until(1.3),
];
const FIELD: &[ParameterDefinition] = &[
    text("name", "Name of the field."),
    options(
        "type",
        &[
            choice("stringValue", "String"),
            choice("numberValue", "Number"),
            choice("booleanValue", "Boolean"),
            choice("arrayValue", "Array"),
            choice("objectValue", "Object"),
        ],
        "Type of the value.",
    )
    .or_text("stringValue"),
    text("stringValue", "The value.").called("Value").when(&[is("type", &["stringValue"])]),
    number("numberValue", "The value.").called("Value").when(&[is("type", &["numberValue"])]),
    switch("booleanValue", "The value.").called("Value").when(&[is("type", &["booleanValue"])]),
    json("arrayValue", "The list.").called("Value").when(&[is("type", &["arrayValue"])]),
    json("objectValue", "The object.").called("Value").when(&[is("type", &["objectValue"])]),
];

const PART: &[Choice] = &[
    told("keypair", "Using fields below", "Names, and who gives the values."),
    told("model", "Let model specify entire part", "The model gives all of it."),
    told("json", "Using JSON below", "One object, with placeholders in braces."),
];
const VALUES: &[Section] = &[many(
    "values",
    "Parameter",
    &[
        text("name", "Its name."),
        options(
            "valueProvider",
            &[
                told("modelRequired", "By model (and is required)", "The model gives the value."),
                told("modelOptional", "By model (but is optional)", "The model may give the value."),
                told("fieldValue", "Using field below", "A value, with placeholders in braces."),
            ],
            "Who gives the value.",
        )
        .or_text("modelRequired"),
        text("value", "The value.").when(&[is("valueProvider", &["fieldValue"])]),
    ],
)];
const PLACEHOLDERS: &[Section] = &[many(
    "values",
    "Placeholder",
    &[
        text("name", "Its name, without the braces."),
        text("description", "What it is, for the model."),
        options(
            "type",
            &[
                choice("string", "String"),
                choice("number", "Number"),
                choice("boolean", "Boolean"),
                choice("json", "JSON"),
            ],
            "Type of its value.",
        )
        .or_text("string"),
    ],
)];

/// A request with placeholders.
pub(super) const REQUEST: &[ParameterDefinition] = &[
    NAME.until(1.0),
    TOLD_NEWER,
    http_request::METHOD,
    text("url", "Address to send the request to; {placeholders} are filled by the model.")
        .called("URL")
        .like("https://example.com/orders/{order}"),
    http_request::AUTHENTICATION,
    http_request::SERVICE,
    http_request::GENERIC_TYPE,
    switch("sendQuery", "Whether to add a query to the address.").called("Send query parameters").or_false(),
    options("specifyQuery", PART, "How it is written.").or_text("keypair").when(&[on("sendQuery")]),
    list("parametersQuery", VALUES, "The query.").called("Query parameters").when(&[is("specifyQuery", &["keypair"])]),
    json("jsonQuery", "The query as one object.").called("JSON").when(&[is("specifyQuery", &["json"])]),
    switch("sendHeaders", "Whether to send headers.").or_false(),
    options("specifyHeaders", PART, "How they are written.").or_text("keypair").when(&[on("sendHeaders")]),
    list("parametersHeaders", VALUES, "The headers.")
        .called("Header parameters")
        .when(&[is("specifyHeaders", &["keypair"])]),
    json("jsonHeaders", "The headers as one object.").called("JSON").when(&[is("specifyHeaders", &["json"])]),
    switch("sendBody", "Whether to send a body.").or_false(),
    options("specifyBody", PART, "How it is written.").or_text("keypair").when(&[on("sendBody")]),
    list("parametersBody", VALUES, "The body.").called("Body parameters").when(&[is("specifyBody", &["keypair"])]),
    json("jsonBody", "The body as JSON.").called("JSON").when(&[is("specifyBody", &["json"])]),
    list("placeholderDefinitions", PLACEHOLDERS, "What the placeholders are.").called("Placeholder definitions"),
];

/// Nodes that serve as tools have their own parameters, and what the model is told of them.
pub(super) const CRYPTO_TOOL: &[ParameterDefinition] = &CRYPTO;
const CRYPTO: [ParameterDefinition; crypto::PARAMETERS.len() + 1] = joined([TOLD_NEWER], crypto::PARAMETERS, []);
/// As [`CRYPTO_TOOL`].
pub(super) const DATA_TABLE_TOOL: &[ParameterDefinition] = &DATA_TABLE;
const DATA_TABLE: [ParameterDefinition; data_table::PARAMETERS.len() + 1] =
    joined([TOLD_NEWER], data_table::PARAMETERS, []);
/// As [`CRYPTO_TOOL`].
pub(super) const DATE_TIME_TOOL: &[ParameterDefinition] = &DATE_TIME;
const DATE_TIME: [ParameterDefinition; date_time::PARAMETERS.len() + 1] =
    joined([TOLD_NEWER], date_time::PARAMETERS, []);
/// As [`CRYPTO_TOOL`].
pub(super) const GRAPHQL_TOOL: &[ParameterDefinition] = &GRAPHQL;
const GRAPHQL: [ParameterDefinition; graphql::PARAMETERS.len() + 1] = joined([TOLD_NEWER], graphql::PARAMETERS, []);
/// As [`CRYPTO_TOOL`].
pub(super) const HTTP_TOOL: &[ParameterDefinition] = &HTTP;
const HTTP: [ParameterDefinition; http_request::PARAMETERS.len() + 1] =
    joined([TOLD_NEWER], http_request::PARAMETERS, []);
/// As [`CRYPTO_TOOL`].
pub(super) const FEED_TOOL: &[ParameterDefinition] = &FEED;
const FEED: [ParameterDefinition; rss_feed_read::PARAMETERS.len() + 1] =
    joined([TOLD_NEWER], rss_feed_read::PARAMETERS, []);
