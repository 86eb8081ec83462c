//! The parameters of the node, as data.

use timeloom_domain::catalogue::{Choice, Condition, CredentialDefinition, ParameterDefinition};
use timeloom_nodes::describe::{choice, collection, is, needs, number, on, options, switch, text, told};

pub(crate) const CREDENTIALS: &[CredentialDefinition] = &[needs("redis", &[])];

const KEY_TYPES: &[Choice] = &[
    told("automatic", "Automatic", "As the key is, or as the value looks."),
    choice("hash", "Hash"),
    choice("list", "List"),
    choice("sets", "Sets"),
    choice("string", "String"),
];

const DOTS: ParameterDefinition = switch("dotNotation", "Whether dots in the name of the field lead into objects.")
    .or_true()
    .called("Support dot notation");
const FOUND: &[Condition] = &[is("operation", &["get"])];
const POPPED: &[Condition] = &[is("operation", &["pop"])];

pub(crate) const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "operation",
        &[
            told("delete", "Delete", "Deletes a key."),
            told("get", "Get", "Gives the value of a key."),
            told("incr", "Increment", "Adds 1 to the number of a key, and gives it."),
            told("info", "Info", "Tells about the server."),
            told("keys", "Keys", "Gives all keys that fit a pattern."),
            told("pop", "Pop", "Takes a value off a list."),
            told("publish", "Publish", "Sends a message to a channel."),
            told("push", "Push", "Adds a value to a list."),
            told("set", "Set", "Sets the value of a key."),
        ],
        "What is done.",
    )
    .or_text("info"),
    text("propertyName", "The field that gets the value.").or_text("propertyName").when(FOUND).called("Name"),
    text("propertyName", "The field that gets the value.").or_text("propertyName").when(POPPED).called("Name"),
    text("key", "The key.").needed().when(&[is("operation", &["delete", "get", "incr", "set"])]),
    text("value", "The value.").when(&[is("operation", &["set"])]),
    options("keyType", KEY_TYPES, "What the value is.").or_text("automatic").when(&[is("operation", &["get", "set"])]),
    switch("valueIsJSON", "Whether the value is JSON, whose fields are those of the hash.")
        .or_true()
        .when(&[is("operation", &["set"]), is("keyType", &["hash"])]),
    switch("expire", "Whether the key goes away after a time.").or_false().when(&[is("operation", &["incr", "set"])]),
    number("ttl", "After how many seconds it goes away.")
        .called("TTL")
        .or_number(60.0)
        .when(&[is("operation", &["incr", "set"]), on("expire")]),
    text("keyPattern", "The pattern, in which * stands for anything.").needed().when(&[is("operation", &["keys"])]),
    switch("getValues", "Whether the values are given as well.").or_true().when(&[is("operation", &["keys"])]),
    text("channel", "The channel.").needed().when(&[is("operation", &["publish"])]),
    text("list", "The list.").needed().when(&[is("operation", &["pop", "push"])]),
    text("messageData", "What is sent or added.")
        .needed()
        .called("Data")
        .when(&[is("operation", &["publish", "push"])]),
    switch("tail", "Whether the end of the list is meant instead of its beginning.")
        .or_false()
        .when(&[is("operation", &["pop", "push"])]),
    collection("options", &[DOTS], "More that can be said.").when(&[is("operation", &["get", "pop"])]),
];
