//! The parameters of HTTP Request: versions 1 and 2 have them one way, from version 3 on another.

use timeloom_domain::catalogue::{Choice, Condition, CredentialDefinition, ParameterDefinition, Section, Versions};

use crate::describe::{
    choice, collection, is, joined, json, list, long_text, many, needs, number, off, on, one, options, switch, text,
    told,
};

const METHODS: &[Choice] = &[
    choice("DELETE", "DELETE"),
    choice("GET", "GET"),
    choice("HEAD", "HEAD"),
    choice("OPTIONS", "OPTIONS"),
    choice("PATCH", "PATCH"),
    choice("POST", "POST"),
    choice("PUT", "PUT"),
];

/// How the services sign that are known here, see `auth`.
const SERVICES: &[Choice] = &[
    choice("airtableTokenApi", "Airtable"),
    choice("anthropicApi", "Anthropic"),
    choice("asanaApi", "Asana"),
    choice("aws", "AWS"),
    choice("azureStorageOAuth2Api", "Azure Storage by OAuth2"),
    choice("azureStorageSharedKeyApi", "Azure Storage by shared key"),
    choice("clickUpApi", "ClickUp"),
    choice("cohereApi", "Cohere"),
    choice("discordBotApi", "Discord bot"),
    choice("discordWebhookApi", "Discord webhook"),
    choice("githubApi", "GitHub"),
    choice("gitlabApi", "GitLab"),
    choice("googlePalmApi", "Google Gemini"),
    choice("groqApi", "Groq"),
    choice("hubspotAppToken", "HubSpot app token"),
    choice("jinaAiApi", "Jina AI"),
    choice("linearApi", "Linear"),
    choice("microsoftAzureCosmosDbSharedKeyApi", "Azure Cosmos DB"),
    choice("microsoftSharePointOAuth2Api", "Microsoft SharePoint"),
    choice("mistralCloudApi", "Mistral Cloud"),
    choice("n8nApi", "n8n"),
    choice("notionApi", "Notion"),
    choice("openAiApi", "OpenAI"),
    choice("openRouterApi", "OpenRouter"),
    choice("perplexityApi", "Perplexity"),
    choice("pipedriveApi", "Pipedrive"),
    choice("salesforceOAuth2Api", "Salesforce"),
    choice("sendGridApi", "SendGrid"),
    choice("slackApi", "Slack"),
    choice("stripeApi", "Stripe"),
    choice("telegramApi", "Telegram"),
    choice("theHiveProjectApi", "TheHive"),
    choice("todoistApi", "Todoist"),
    choice("wordpressApi", "WordPress"),
];

const GENERIC: &[Choice] = &[
    choice("httpBasicAuth", "Basic Auth"),
    choice("httpBearerAuth", "Bearer Auth"),
    choice("httpCustomAuth", "Custom Auth"),
    choice("httpDigestAuth", "Digest Auth"),
    choice("httpHeaderAuth", "Header Auth"),
    choice("oAuth2Api", "OAuth2 API"),
    choice("httpQueryAuth", "Query Auth"),
];

const PAIR: &[ParameterDefinition] = &[text("name", "The name."), text("value", "The value.")];
const PAIRS: &[Section] = &[many("parameters", "Parameter", PAIR)];
const OLD_PAIRS: &[Section] = &[many("parameter", "Parameter", PAIR)];
const PARTS: &[Section] = &[many(
    "parameters",
    "Parameter",
    &[
        options(
            "parameterType",
            &[choice("formBinaryData", "Binary file"), choice("formData", "Form data")],
            "Whether the part is a file or a text.",
        )
        .or_text("formData"),
        text("name", "Name of the part."),
        text("value", "The text.").when(&[is("parameterType", &["formData"])]),
        text("inputDataFieldName", "Attachment with the file.")
            .called("Input data field name")
            .when(&[is("parameterType", &["formBinaryData"])]),
    ],
)];

const KEYPAIR: Choice = told("keypair", "Using fields below", "Names and values.");
const AS_JSON: Choice = told("json", "Using JSON", "One object.");
const AS_STRING: Choice = told("string", "Using single field", "One text.");

const fn specify(
    name: &'static str,
    choices: &'static [Choice],
    shown_when: &'static [Condition],
) -> ParameterDefinition {
    options(name, choices, "How they are written.").or_text("keypair").when(shown_when).since(3.0)
}

const BODY: &[Condition] = &[on("sendBody")];

/// Before version 3: parts of the request come as fields or as JSON, and some methods have no body.
const WITH_BODY: &[&str] = &["DELETE", "PATCH", "POST", "PUT"];
const OLD_FIELDS: &[Condition] = &[off("jsonParameters")];
const OLD_JSON: &[Condition] = &[on("jsonParameters")];

const PAGED: &[Condition] = &[is("paginationMode", &["updateAParameterInEachRequest", "responseContainsNextURL"])];

const PAGINATION: &[ParameterDefinition] = &[
    options(
        "paginationMode",
        &[
            choice("off", "Off"),
            told("updateAParameterInEachRequest", "Update a parameter in each request", "Such as a number of a page."),
            told("responseContainsNextURL", "Response contains next URL", "Each answer names the next address."),
        ],
        "How the next page is asked for.",
    )
    .or_text("updateAParameterInEachRequest"),
    text("nextURL", "The next address: an expression that reads the answer in $response.")
        .called("Next URL")
        .like("{{ $response.body.next }}")
        .when(&[is("paginationMode", &["responseContainsNextURL"])]),
    list(
        "parameters",
        &[many(
            "parameters",
            "Parameter",
            &[
                options(
                    "type",
                    &[choice("body", "Body"), choice("headers", "Header"), choice("qs", "Query")],
                    "Where the parameter is.",
                )
                .or_text("qs"),
                text("name", "Its name.").like("page"),
                text("value", "Its value: $pageCount is the number of pages so far.").like("{{ $pageCount + 1 }}"),
            ],
        )],
        "The parameters that change from page to page.",
    )
    .when(&[is("paginationMode", &["updateAParameterInEachRequest"])]),
    options(
        "paginationCompleteWhen",
        &[
            choice("responseIsEmpty", "Response is empty"),
            choice("receiveSpecificStatusCodes", "Receive specific status code(s)"),
            choice("other", "Other"),
        ],
        "Which page is the last.",
    )
    .called("Pagination complete when")
    .or_text("responseIsEmpty")
    .when(PAGED),
    text("statusCodesWhenComplete", "The statuses, with commas between.")
        .called("Status code(s) when complete")
        .like("404")
        .when(&[is("paginationCompleteWhen", &["receiveSpecificStatusCodes"])]),
    text("completeExpression", "An expression that is true of the last page.")
        .like("{{ $response.body.last }}")
        .when(&[is("paginationCompleteWhen", &["other"])]),
    switch("limitPagesFetched", "Whether there is an end before.").or_false().when(PAGED),
    number("maxRequests", "Most pages.").called("Max pages").or_number(100.0).when(&[on("limitPagesFetched")]),
    number("requestInterval", "Milliseconds from one page to the next.")
        .called("Interval between requests (ms)")
        .or_number(0.0)
        .when(PAGED),
];

const FURTHER: &[ParameterDefinition] = &[
    options("method", METHODS, "Its method.").or_text("GET"),
    text(
        "url",
        "Its address, on the server of the first request: an expression may read the answer before in $response.",
    )
    .called("URL")
    .like("https://example.com/api/jobs/{{ $response.body.id }}"),
    json("query", "Its query as one object."),
    json("headers", "Its headers as one object."),
    json("body", "Its body as JSON."),
    text(
        "repeatUntil",
        "An expression that is true of the answer that is waited for: the request is sent until it is.",
    )
    .like("{{ $response.body.done }}"),
    number("pause", "Milliseconds before it is sent once more.").called("Pause (ms)").or_number(1000.0),
    number("tries", "How often it is sent at most.").called("Max tries").or_number(30.0),
];

const CERTIFICATES: ParameterDefinition = switch("allowUnauthorizedCerts", "Whether any certificate will do.")
    .called("Ignore SSL issues (insecure)")
    .or_false();
const PROXY: ParameterDefinition =
    text("proxy", "Address of an HTTP proxy.").like("http://proxy.example.com:3128").or_text("");
const TIMEOUT: ParameterDefinition =
    number("timeout", "Milliseconds after which the request is given up.").like("10000");

const MEMBERS: Choice = told("members", "Members: a.member.1=x&a.member.2=y", "As AWS reads them.");
const ARRAYS: &[Choice] = &[
    choice("repeat", "No brackets: a=x&a=y"),
    choice("brackets", "Brackets only: a[]=x&a[]=y"),
    choice("indices", "Brackets with indices: a[0]=x&a[1]=y"),
    MEMBERS,
];
const FORM_ARRAYS: &[Choice] = &[choice("indices", "Brackets with indices: a[0]=x&a[1]=y"), MEMBERS];

const FOLLOWS: ParameterDefinition = switch("followRedirects", "Whether redirects are followed.");
const MOST_REDIRECTS: ParameterDefinition =
    number("maxRedirects", "Most redirects that are followed.").or_number(21.0).when(&[on("followRedirects")]);
const REDIRECT_3: &[ParameterDefinition] = &[FOLLOWS, MOST_REDIRECTS];
const REDIRECT_4: &[ParameterDefinition] = &[FOLLOWS.or_true(), MOST_REDIRECTS];

const OPTIONS: &[ParameterDefinition] = &[
    text("baseUrl", "What the URL goes on from with a slash, with fields of the credential in braces; no expression.")
        .called("Base URL from the credential")
        .like("https://{subdomain}.example.com/api"),
    list(
        "batching",
        &[one(
            "batch",
            "Batch",
            &[
                number("batchSize", "Requests of a batch; -1 for all at once.")
                    .called("Items per batch")
                    .or_number(50.0),
                number("batchInterval", "Milliseconds from one batch to the next.")
                    .called("Batch interval (ms)")
                    .or_number(1000.0),
            ],
        )],
        "How many requests are sent together.",
    ),
    CERTIFICATES,
    options("queryParameterArrays", ARRAYS, "How lists in the query are written.")
        .called("Array format in query parameters")
        .or_text("brackets")
        .when(&[on("/sendQuery")]),
    options("queryParameterArrays", FORM_ARRAYS, "How lists in the form are written.")
        .called("Array format in the form")
        .or_text("indices")
        .when(&[off("/sendQuery"), is("/contentType", &["form-urlencoded"])]),
    list(
        "redirect",
        &[one("redirect", "Redirect", REDIRECT_3)],
        "Whether redirects are followed; GET and HEAD follow them when absent.",
    )
    .called("Redirects")
    .until(3.0),
    list("redirect", &[one("redirect", "Redirect", REDIRECT_4)], "Whether redirects are followed.")
        .called("Redirects")
        .since(4.0),
    list(
        "response",
        &[one(
            "response",
            "Response",
            &[
                switch("fullResponse", "Whether status and headers are given as well.")
                    .called("Include response headers and status")
                    .or_false(),
                switch("neverError", "Whether an answer with an error status is no failure.").or_false(),
                options(
                    "responseFormat",
                    &[
                        choice("autodetect", "Autodetect"),
                        choice("file", "File"),
                        choice("json", "JSON"),
                        choice("text", "Text"),
                        told("xml", "XML", "Data: a child that is there several times is a list, $ holds attributes."),
                    ],
                    "What the answer becomes.",
                )
                .or_text("autodetect"),
                text("outputPropertyName", "Field or attachment that gets the answer.")
                    .called("Put output in field")
                    .or_text("data")
                    .when(&[is("responseFormat", &["autodetect", "file", "text"])]),
                text("items", "An expression that makes the items: it reads the answer in $response.")
                    .like("{{ $response.body.results }}"),
            ],
        )],
        "What the answer becomes.",
    ),
    list("pagination", &[one("pagination", "Pagination", PAGINATION)], "How further pages are asked for.").since(4.0),
    list(
        "further",
        &[many("requests", "Request", FURTHER)],
        "Requests that are sent after the first, one after the other; the last answer gives the items.",
    )
    .called("Further requests")
    .since(4.0),
    PROXY,
    TIMEOUT,
];

const OLD_OPTIONS: &[ParameterDefinition] = &[
    number("batchInterval", "Milliseconds from one batch to the next.").or_number(0.0),
    number("batchSize", "Requests of a batch; -1 for all at once.").or_number(-1.0),
    options(
        "bodyContentType",
        &[
            choice("json", "JSON"),
            choice("raw", "RAW/custom"),
            choice("form-urlencoded", "Form URL encoded"),
            choice("multipart-form-data", "Form-data multipart"),
        ],
        "What the body is.",
    )
    .or_text("json")
    .when(&[is("/requestMethod", WITH_BODY)]),
    text("bodyContentCustomMimeType", "Media type of the body.")
        .called("MIME type")
        .or_text("text/plain")
        .when(&[is("bodyContentType", &["raw"])]),
    switch("fullResponse", "Whether status and headers are given as well.").or_false(),
    switch("followRedirect", "Whether GET and HEAD follow redirects.").or_true(),
    switch("followAllRedirects", "Whether all methods follow redirects.").or_false(),
    switch("ignoreResponseCode", "Whether an answer with an error status is no failure.").or_false(),
    PROXY,
    switch("useQueryString", "Whether lists in the query are written without brackets.").or_false(),
    options("queryParameterArrays", ARRAYS, "How lists in the query are written."),
    TIMEOUT,
];

/// The method.
pub(crate) const METHOD: ParameterDefinition = options("method", METHODS, "Method of the request.").or_text("GET");
/// Which credential, from version 2 on.
pub(crate) const AUTHENTICATION: ParameterDefinition = options(
    "authentication",
    &[
        choice("none", "None"),
        told("predefinedCredentialType", "Predefined credential type", "The credential of a service."),
        told("genericCredentialType", "Generic credential type", "A credential for any service."),
    ],
    "Which credential to use.",
)
.or_text("none");
/// Whose.
pub(crate) const SERVICE: ParameterDefinition =
    options("nodeCredentialType", SERVICES, "Whose credential; others with a token of OAuth2 may be named as well.")
        .called("Credential type")
        .when(&[is("authentication", &["predefinedCredentialType"])]);
/// Of which kind, where it is nobody's in particular.
pub(crate) const GENERIC_TYPE: ParameterDefinition = options("genericAuthType", GENERIC, "Which kind of credential.")
    .called("Generic auth type")
    .when(&[is("authentication", &["genericCredentialType"])]);

/// The parameters, by version.
pub(crate) const PARAMETERS: &[ParameterDefinition] = &[
    METHOD.since(3.0),
    options("requestMethod", METHODS, "Method of the request.").or_text("GET").until(2.0),
    text("url", "Address to send the request to.").called("URL").like("https://example.com/api").needed(),
    AUTHENTICATION.since(2.0),
    options(
        "authentication",
        &[
            choice("basicAuth", "Basic Auth"),
            choice("digestAuth", "Digest Auth"),
            choice("headerAuth", "Header Auth"),
            choice("none", "None"),
            choice("oAuth2", "OAuth2"),
            choice("queryAuth", "Query Auth"),
        ],
        "Which credential to use.",
    )
    .or_text("none")
    .until(1.0),
    SERVICE.since(2.0),
    GENERIC_TYPE.since(2.0),
    switch("sendQuery", "Whether to add a query to the address.").called("Send query parameters").or_false().since(3.0),
    specify("specifyQuery", &[KEYPAIR, AS_JSON], &[on("sendQuery")]).called("Specify query parameters"),
    list("queryParameters", PAIRS, "Names and values of the query.")
        .when(&[is("specifyQuery", &["keypair"])])
        .since(3.0),
    json("jsonQuery", "The query as one object.").called("JSON").when(&[is("specifyQuery", &["json"])]).since(3.0),
    switch("sendHeaders", "Whether to send headers.").or_false().since(3.0),
    specify("specifyHeaders", &[KEYPAIR, AS_JSON], &[on("sendHeaders")]),
    list("headerParameters", PAIRS, "Names and values of the headers.")
        .when(&[is("specifyHeaders", &["keypair"])])
        .since(3.0),
    json("jsonHeaders", "The headers as one object.")
        .called("JSON")
        .when(&[is("specifyHeaders", &["json"])])
        .since(3.0),
    switch("sendBody", "Whether to send a body.").or_false().since(3.0),
    options(
        "contentType",
        &[
            choice("form-urlencoded", "Form URL encoded"),
            choice("multipart-form-data", "Form-data"),
            choice("json", "JSON"),
            choice("binaryData", "Binary file"),
            choice("raw", "Raw"),
        ],
        "What the body is.",
    )
    .called("Body content type")
    .or_text("json")
    .when(BODY)
    .since(3.0),
    specify("specifyBody", &[KEYPAIR, AS_JSON], &[is("contentType", &["json"])]),
    specify("specifyBody", &[KEYPAIR, AS_STRING], &[is("contentType", &["form-urlencoded"])]),
    list("bodyParameters", PAIRS, "Names and values of the body.").when(&[is("specifyBody", &["keypair"])]).since(3.0),
    list("bodyParameters", PARTS, "The parts of the body.")
        .when(&[is("contentType", &["multipart-form-data"])])
        .since(3.0),
    json("jsonBody", "The body as JSON.").called("JSON").when(&[is("specifyBody", &["json"])]).since(3.0),
    long_text("body", "The body.")
        .like("field1=value1&field2=value2")
        .or_text("")
        .when(&[is("specifyBody", &["string"])])
        .since(3.0),
    text("inputDataFieldName", "Attachment that is the body.")
        .called("Input data field name")
        .or_text("data")
        .when(&[is("contentType", &["binaryData"])])
        .since(3.0),
    text("rawContentType", "Media type of the body.")
        .called("Content type")
        .like("text/xml")
        .or_text("")
        .when(&[is("contentType", &["raw"])])
        .since(3.0),
    long_text("body", "The body.").or_text("").when(&[is("contentType", &["raw"])]).since(3.0),
    switch("allowUnauthorizedCerts", "Whether any certificate will do.")
        .called("Ignore SSL issues (insecure)")
        .or_false()
        .until(2.0),
    options(
        "responseFormat",
        &[choice("file", "File"), choice("json", "JSON"), choice("string", "String")],
        "What the answer becomes.",
    )
    .or_text("json")
    .until(2.0),
    text("dataPropertyName", "Field or attachment that gets the answer.")
        .called("Property name")
        .or_text("data")
        .when(&[is("responseFormat", &["file", "string"])])
        .until(2.0),
    switch("jsonParameters", "Whether query, headers and body are JSON.")
        .called("JSON/RAW parameters")
        .or_false()
        .until(2.0),
    switch("sendBinaryData", "Whether attachments are the body.")
        .called("Send binary file")
        .or_false()
        .when(&[is("requestMethod", WITH_BODY)])
        .until(2.0),
    text("binaryPropertyName", "The attachment; in a form field:attachment, with commas between.")
        .called("Input binary field")
        .or_text("data")
        .when(&[on("sendBinaryData")])
        .until(2.0),
    json("bodyParametersJson", "The body.")
        .called("Body parameters")
        .when(&[on("jsonParameters"), is("requestMethod", WITH_BODY)])
        .until(2.0),
    json("headerParametersJson", "The headers.").called("Headers").when(OLD_JSON).until(2.0),
    json("queryParametersJson", "The query.").called("Query parameters").when(OLD_JSON).until(2.0),
    list("bodyParametersUi", OLD_PAIRS, "The body.")
        .called("Body parameters")
        .when(&[off("jsonParameters"), is("requestMethod", WITH_BODY)])
        .until(2.0),
    list("headerParametersUi", OLD_PAIRS, "The headers.").called("Headers").when(OLD_FIELDS).until(2.0),
    list("queryParametersUi", OLD_PAIRS, "The query.").called("Query parameters").when(OLD_FIELDS).until(2.0),
    collection("options", OLD_OPTIONS, "What else to decide.").until(2.0),
    collection("options", OPTIONS, "What else to decide.").since(3.0),
];

/// The credentials, by the parameter that chooses one.
pub(crate) const CREDENTIALS: &[CredentialDefinition] = &[
    needs("httpBasicAuth", &[is("genericAuthType", &["httpBasicAuth"])]),
    needs("httpBearerAuth", &[is("genericAuthType", &["httpBearerAuth"])]),
    needs("httpCustomAuth", &[is("genericAuthType", &["httpCustomAuth"])]),
    needs("httpDigestAuth", &[is("genericAuthType", &["httpDigestAuth"])]),
    needs("httpHeaderAuth", &[is("genericAuthType", &["httpHeaderAuth"])]),
    needs("oAuth2Api", &[is("genericAuthType", &["oAuth2Api"])]),
    needs("httpQueryAuth", &[is("genericAuthType", &["httpQueryAuth"])]),
    needs("airtableTokenApi", &[is("nodeCredentialType", &["airtableTokenApi"])]),
    needs("anthropicApi", &[is("nodeCredentialType", &["anthropicApi"])]),
    needs("asanaApi", &[is("nodeCredentialType", &["asanaApi"])]),
    needs("aws", &[is("nodeCredentialType", &["aws"])]),
    needs("azureStorageOAuth2Api", &[is("nodeCredentialType", &["azureStorageOAuth2Api"])]),
    needs("azureStorageSharedKeyApi", &[is("nodeCredentialType", &["azureStorageSharedKeyApi"])]),
    needs("clickUpApi", &[is("nodeCredentialType", &["clickUpApi"])]),
    needs("cohereApi", &[is("nodeCredentialType", &["cohereApi"])]),
    needs("discordBotApi", &[is("nodeCredentialType", &["discordBotApi"])]),
    needs("discordWebhookApi", &[is("nodeCredentialType", &["discordWebhookApi"])]),
    needs("githubApi", &[is("nodeCredentialType", &["githubApi"])]),
    needs("gitlabApi", &[is("nodeCredentialType", &["gitlabApi"])]),
    needs("googlePalmApi", &[is("nodeCredentialType", &["googlePalmApi"])]),
    needs("groqApi", &[is("nodeCredentialType", &["groqApi"])]),
    needs("hubspotAppToken", &[is("nodeCredentialType", &["hubspotAppToken"])]),
    needs("jinaAiApi", &[is("nodeCredentialType", &["jinaAiApi"])]),
    needs("linearApi", &[is("nodeCredentialType", &["linearApi"])]),
    needs("microsoftAzureCosmosDbSharedKeyApi", &[is("nodeCredentialType", &["microsoftAzureCosmosDbSharedKeyApi"])]),
    needs("microsoftSharePointOAuth2Api", &[is("nodeCredentialType", &["microsoftSharePointOAuth2Api"])]),
    needs("mistralCloudApi", &[is("nodeCredentialType", &["mistralCloudApi"])]),
    needs("n8nApi", &[is("nodeCredentialType", &["n8nApi"])]),
    needs("notionApi", &[is("nodeCredentialType", &["notionApi"])]),
    needs("openAiApi", &[is("nodeCredentialType", &["openAiApi"])]),
    needs("openRouterApi", &[is("nodeCredentialType", &["openRouterApi"])]),
    needs("perplexityApi", &[is("nodeCredentialType", &["perplexityApi"])]),
    needs("pipedriveApi", &[is("nodeCredentialType", &["pipedriveApi"])]),
    needs("salesforceOAuth2Api", &[is("nodeCredentialType", &["salesforceOAuth2Api"])]),
    needs("sendGridApi", &[is("nodeCredentialType", &["sendGridApi"])]),
    needs("slackApi", &[is("nodeCredentialType", &["slackApi"])]),
    needs("stripeApi", &[is("nodeCredentialType", &["stripeApi"])]),
    needs("telegramApi", &[is("nodeCredentialType", &["telegramApi"])]),
    needs("theHiveProjectApi", &[is("nodeCredentialType", &["theHiveProjectApi"])]),
    needs("todoistApi", &[is("nodeCredentialType", &["todoistApi"])]),
    needs("wordpressApi", &[is("nodeCredentialType", &["wordpressApi"])]),
];

/// A credential of version 1, where its kind is named otherwise.
const fn old(credential_type: &'static str, shown_when: &'static [Condition]) -> CredentialDefinition {
    CredentialDefinition { versions: Versions { from: 0.0, to: 1.0 }, ..needs(credential_type, shown_when) }
}

/// Those of version 1 as well.
pub(crate) const ALL_CREDENTIALS: &[CredentialDefinition] = &WITH_OLD;
const WITH_OLD: [CredentialDefinition; CREDENTIALS.len() + 5] = joined(
    [
        old("httpBasicAuth", &[is("authentication", &["basicAuth"])]),
        old("httpDigestAuth", &[is("authentication", &["digestAuth"])]),
        old("httpHeaderAuth", &[is("authentication", &["headerAuth"])]),
        old("oAuth2Api", &[is("authentication", &["oAuth2"])]),
        old("httpQueryAuth", &[is("authentication", &["queryAuth"])]),
    ],
    CREDENTIALS,
    [],
);
