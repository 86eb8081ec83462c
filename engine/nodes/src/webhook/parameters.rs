//! The parameters of nodes that take requests: the Webhook trigger, and a wait for a request.

use timeloom_domain::catalogue::{Choice, Condition, CredentialDefinition, ParameterDefinition};

use crate::describe::{
    choice, collection, is, list, many, needs, number, numbered, off, on, one, options, several, switch, text, told,
};

/// Methods of requests.
const METHODS: &[Choice] = &[
    choice("DELETE", "DELETE"),
    choice("GET", "GET"),
    choice("HEAD", "HEAD"),
    choice("PATCH", "PATCH"),
    choice("POST", "POST"),
    choice("PUT", "PUT"),
];

/// How a caller shows who it is.
const AUTHENTICATION: &[Choice] = &[
    choice("basicAuth", "Basic Auth"),
    choice("headerAuth", "Header Auth"),
    choice("jwtAuth", "JWT Auth"),
    choice("none", "None"),
];

/// When it is answered.
const MODES: &[Choice] = &[
    told("onReceived", "Immediately", "As soon as the request is taken."),
    told("lastNode", "When last node finishes", "With what the last node gives."),
    told("responseNode", "Using 'Respond to Webhook' node", "A node of the workflow answers."),
    told("streaming", "Streaming", "In parts, as nodes give them."),
];

const AT_ONCE: &[Condition] = &[is("/responseMode", &["onReceived"])];
const AT_END: &[Condition] = &[is("/responseMode", &["lastNode"])];

const HEADERS: ParameterDefinition = list(
    "responseHeaders",
    &[many("entries", "Header", &[text("name", "Name of the header."), text("value", "Value of the header.")])],
    "Headers of the answer.",
)
.when(&[is("/responseMode", &["onReceived", "lastNode"])]);

const CODE: ParameterDefinition = list(
    "responseCode",
    &[one(
        "values",
        "Response code",
        &[
            options(
                "responseCode",
                &[
                    numbered(200.0, "200"),
                    numbered(201.0, "201"),
                    numbered(204.0, "204"),
                    numbered(301.0, "301"),
                    numbered(302.0, "302"),
                    numbered(304.0, "304"),
                    numbered(400.0, "400"),
                    numbered(401.0, "401"),
                    numbered(403.0, "403"),
                    numbered(404.0, "404"),
                    choice("customCode", "Custom code"),
                ],
                "Status of the answer.",
            )
            .or_number(200.0),
            number("customCode", "The status, 200 to 599.").called("Code").when(&[is("responseCode", &["customCode"])]),
        ],
    )],
    "Status of the answer.",
)
.when(&[is("/responseMode", &["onReceived", "lastNode"])]);

const NO_BODY: ParameterDefinition =
    switch("noResponseBody", "Whether the answer has no body.").called("No response body").or_false().when(AT_ONCE);
const BODY: ParameterDefinition = text("responseData", "The text that is answered at once.")
    .like("accepted")
    .when(&[off("noResponseBody"), is("/responseMode", &["onReceived"])]);
const MEDIA_TYPE: ParameterDefinition =
    text("responseContentType", "Media type of the answer.").like("application/xml").when(AT_END);
const FIELD: ParameterDefinition =
    text("responsePropertyName", "Field of the first item that is answered; all of it when empty.")
        .called("Property name")
        .when(AT_END);
const ORIGINS: ParameterDefinition =
    text("allowedOrigins", "Origins whose pages may read the answer, with commas between.")
        .called("Allowed origins (CORS)")
        .or_text("*");
const ATTACHMENT: ParameterDefinition = text("binaryPropertyName", "Attachment that gets a body that is a file.")
    .called("Field name for binary data")
    .like("data");
const BOTS: ParameterDefinition = switch("ignoreBots", "Whether robots are turned away.").or_false();
const ADDRESSES: ParameterDefinition =
    text("ipWhitelist", "Addresses and networks from which calls are let in, with commas between; all when empty.")
        .called("IP(s) allowlist")
        .like("203.0.113.0/24");
const RAW: ParameterDefinition =
    switch("rawBody", "Whether the body is kept as it came, beside what it says.").called("Raw body").or_false();

/// The mode of an answer.
pub(crate) const MODE: ParameterDefinition =
    options("responseMode", MODES, "When the request is answered.").called("Respond").or_text("onReceived");
/// What the last node's items become.
pub(crate) const DATA: ParameterDefinition = options(
    "responseData",
    &[
        told("allEntries", "All entries", "All items, as a list."),
        told("firstEntryJson", "First entry JSON", "The first item."),
        told("firstEntryBinary", "First entry binary", "An attachment of the first item."),
        told("noData", "No response body", "An answer without a body."),
    ],
    "What of the last node's items is answered.",
)
.or_text("firstEntryJson")
.when(&[is("responseMode", &["lastNode"])]);
/// Which attachment of the first item.
pub(crate) const DATA_ATTACHMENT: ParameterDefinition =
    text("responseBinaryPropertyName", "The attachment that is answered.")
        .called("Property name")
        .or_text("data")
        .when(&[is("responseData", &["firstEntryBinary"])]);
/// The status of older versions, and of waits.
pub(crate) const STATUS: ParameterDefinition = number("responseCode", "Status of the answer, 200 to 599.")
    .or_number(200.0)
    .when(&[is("responseMode", &["onReceived", "lastNode"])]);

/// The options that a wait for a request has.
pub(crate) const RESUME_OPTIONS: &[ParameterDefinition] = &[
    text("webhookSuffix", "Last part of the address, which tells waits from each other.").or_text(""),
    ATTACHMENT,
    BOTS,
    ADDRESSES,
    NO_BODY,
    RAW,
    MEDIA_TYPE,
    BODY,
    HEADERS,
    FIELD,
];

const OPTIONS: &[ParameterDefinition] = &[
    ORIGINS,
    switch("binaryData", "Whether the body is a file, whatever its type.").called("Binary file").or_false().until(1.1),
    ATTACHMENT,
    BOTS,
    ADDRESSES,
    NO_BODY,
    RAW,
    CODE.since(2.0),
    MEDIA_TYPE,
    BODY,
    HEADERS,
    FIELD,
];

/// The parameters of the Webhook trigger.
pub(super) const PARAMETERS: &[ParameterDefinition] = &[
    switch("multipleMethods", "Whether it has several methods, with an output each.")
        .called("Allow multiple HTTP methods")
        .or_false(),
    method("httpMethod", "Method of the request.").when(&[off("multipleMethods")]),
    several("httpMethod", METHODS, "Methods of the request: each has an output.")
        .called("HTTP methods")
        .when(&[on("multipleMethods")]),
    text("path", "Path of its address; parts that begin with ':' are named.").like("orders/:id"),
    authentication("authentication"),
    MODE,
    STATUS.until(1.1),
    DATA,
    DATA_ATTACHMENT,
    collection("options", OPTIONS, "What else to decide."),
];

/// A method of requests.
pub(crate) const fn method(name: &'static str, description: &'static str) -> ParameterDefinition {
    options(name, METHODS, description).called("HTTP method").or_text("GET")
}

/// How a caller shows who it is, under that name.
pub(crate) const fn authentication(name: &'static str) -> ParameterDefinition {
    options(name, AUTHENTICATION, "How a caller shows who it is.").called("Authentication").or_text("none")
}

/// The credentials that tell whether it is right.
pub(super) const CREDENTIALS: &[CredentialDefinition] = &[
    needs("httpBasicAuth", &[is("authentication", &["basicAuth"])]),
    needs("httpHeaderAuth", &[is("authentication", &["headerAuth"])]),
    needs("jwtAuth", &[is("authentication", &["jwtAuth"])]),
];
