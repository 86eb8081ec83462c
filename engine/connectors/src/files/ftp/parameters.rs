//! The parameters of the node, as data.

use timeloom_domain::catalogue::{Condition, CredentialDefinition, ParameterDefinition};
use timeloom_nodes::describe::{choice, collection, is, needs, off, on, options, switch, text, told};

pub(super) const CREDENTIALS: &[CredentialDefinition] =
    &[needs("ftp", &[is("protocol", &["ftp"])]), needs("sftp", &[is("protocol", &["sftp"])])];

const DELETED: &[Condition] = &[is("operation", &["delete"])];
const DOWNLOADED: &[Condition] = &[is("operation", &["download"])];
const LISTED: &[Condition] = &[is("operation", &["list"])];
const RENAMED: &[Condition] = &[is("operation", &["rename"])];
const UPLOADED: &[Condition] = &[is("operation", &["upload"])];

pub(super) const PARAMETERS: &[ParameterDefinition] = &[
    options("protocol", &[choice("ftp", "FTP"), choice("sftp", "SFTP")], "How the server is spoken with.")
        .or_text("ftp"),
    options(
        "operation",
        &[
            told("delete", "Delete", "Deletes a file or a folder."),
            told("download", "Download", "Fetches a file."),
            told("list", "List", "Lists a folder."),
            told("rename", "Rename", "Gives a file or a folder another name."),
            told("upload", "Upload", "Stores a file."),
        ],
        "What is done.",
    )
    .or_text("download"),
    text("path", "The file or folder to delete.").like("/public/old.txt").needed().when(DELETED),
    collection(
        "options",
        &[
            switch("folder", "Whether it is a folder.").or_false(),
            switch("recursive", "Whether what is in the folder is deleted as well.").or_false().when(&[on("folder")]),
        ],
        "More that can be said.",
    )
    .when(DELETED),
    text("path", "The file to fetch.").like("/public/report.csv").needed().when(DOWNLOADED),
    text("binaryPropertyName", "The attachment that the file becomes.")
        .called("Put output file in field")
        .or_text("data")
        .when(DOWNLOADED),
    text("path", "The folder to list.").or_text("/").when(LISTED),
    switch("recursive", "Whether folders below it are listed as well.").or_false().when(LISTED),
    text("oldPath", "What it is called.").needed().when(RENAMED),
    text("newPath", "What it is to be called.").needed().when(RENAMED),
    collection(
        "options",
        &[switch("createDirectories", "Whether the folders of the new name are made.").or_false()],
        "More that can be said.",
    )
    .when(RENAMED),
    text("path", "The path of the file on the server.").like("/public/report.csv").needed().when(UPLOADED),
    switch("binaryData", "Whether an attachment is stored instead of a text.")
        .called("Binary file")
        .or_true()
        .when(UPLOADED),
    text("binaryPropertyName", "The attachment.")
        .called("Input binary field")
        .or_text("data")
        .when(&[is("operation", &["upload"]), on("binaryData")]),
    text("fileContent", "The text.").when(&[is("operation", &["upload"]), off("binaryData")]),
];
