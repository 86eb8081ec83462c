//! The parameters of both nodes, as data.

use timeloom_domain::catalogue::{Condition, CredentialDefinition, ParameterDefinition};
use timeloom_nodes::describe::{
    choice, collection, is, list, many, needs, number, off, on, options, switch, text, told,
};

pub(super) const AWS: &[CredentialDefinition] = &[needs("aws", &[])];
pub(super) const OTHERS: &[CredentialDefinition] = &[needs("s3", &[])];

const BUCKET: &[Condition] = &[is("resource", &["bucket"])];
const FILE: &[Condition] = &[is("resource", &["file"])];
const FOLDER: &[Condition] = &[is("resource", &["folder"])];
const LISTED_BUCKETS: &[Condition] = &[is("resource", &["bucket"]), is("operation", &["getAll", "search"])];
const LISTED: &[Condition] = &[is("resource", &["file", "folder"]), is("operation", &["getAll"])];
const UPLOADED: &[Condition] = &[is("resource", &["file"]), is("operation", &["upload"])];
const COPIED: &[Condition] = &[is("resource", &["file"]), is("operation", &["copy"])];

const ACCESS: ParameterDefinition = options(
    "acl",
    &[
        choice("authenticatedRead", "Authenticated read"),
        choice("awsExecRead", "AWS exec read"),
        choice("bucketOwnerFullControl", "Bucket owner full control"),
        choice("bucketOwnerRead", "Bucket owner read"),
        choice("private", "Private"),
        choice("publicRead", "Public read"),
        choice("publicReadWrite", "Public read and write"),
    ],
    "Who may read and write it.",
)
.called("ACL");

const STORAGE: ParameterDefinition = options(
    "storageClass",
    &[
        choice("deepArchive", "Deep archive"),
        choice("glacier", "Glacier"),
        choice("intelligentTiering", "Intelligent tiering"),
        choice("onezoneIA", "One zone, infrequent access"),
        choice("reducedRedundancy", "Reduced redundancy"),
        choice("standard", "Standard"),
        choice("standardIA", "Standard, infrequent access"),
    ],
    "How it is stored.",
);

pub(super) const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "resource",
        &[choice("bucket", "Bucket"), choice("file", "File"), choice("folder", "Folder")],
        "What it is about.",
    )
    .or_text("file"),
    options(
        "operation",
        &[
            told("create", "Create", "Makes a bucket."),
            told("delete", "Delete", "Deletes an empty bucket."),
            told("getAll", "Get many", "Lists buckets."),
            told("search", "Search", "Lists files of a bucket whose names begin with a text."),
        ],
        "What is done.",
    )
    .or_text("create")
    .when(BUCKET),
    options(
        "operation",
        &[
            told("copy", "Copy", "Copies a file."),
            told("delete", "Delete", "Deletes a file."),
            told("download", "Download", "Fetches a file."),
            told("getAll", "Get many", "Lists files."),
            told("upload", "Upload", "Stores a file."),
        ],
        "What is done.",
    )
    .or_text("download")
    .when(FILE),
    options(
        "operation",
        &[
            told("create", "Create", "Makes a folder."),
            told("delete", "Delete", "Deletes a folder with all that is in it."),
            told("getAll", "Get many", "Lists folders."),
        ],
        "What is done.",
    )
    .or_text("create")
    .when(FOLDER),
    text("name", "Name of the bucket.")
        .needed()
        .when(&[is("resource", &["bucket"]), is("operation", &["create", "delete"])]),
    text("bucketName", "Name of the bucket.")
        .needed()
        .when(&[is("resource", &["bucket"]), is("operation", &["search"])]),
    text("bucketName", "Name of the bucket.")
        .needed()
        .when(&[is("resource", &["file"]), is("operation", &["delete", "download", "getAll", "upload"])]),
    text("bucketName", "Name of the bucket.").needed().when(FOLDER),
    text("sourcePath", "The file to copy: /bucket/key.").like("/bucket/my-image.jpg").needed().when(COPIED),
    text("destinationPath", "Where it is copied to: /bucket/key.")
        .like("/bucket/my-second-image.jpg")
        .needed()
        .when(COPIED),
    text("fileKey", "Key of the file.")
        .needed()
        .when(&[is("resource", &["file"]), is("operation", &["delete", "download"])]),
    text("binaryPropertyName", "The attachment that the file becomes.")
        .called("Put output file in field")
        .or_text("data")
        .when(&[is("resource", &["file"]), is("operation", &["download"])]),
    text("fileName", "Key of the file; the name of the attachment where it is empty.").when(UPLOADED),
    switch("binaryData", "Whether an attachment is stored instead of a text.")
        .called("Binary file")
        .or_true()
        .when(UPLOADED),
    text("fileContent", "The text.").when(&[
        is("resource", &["file"]),
        is("operation", &["upload"]),
        off("binaryData"),
    ]),
    text("binaryPropertyName", "The attachment.").called("Input binary field").or_text("data").when(&[
        is("resource", &["file"]),
        is("operation", &["upload"]),
        on("binaryData"),
    ]),
    text("folderName", "Name of the folder.")
        .needed()
        .when(&[is("resource", &["folder"]), is("operation", &["create"])]),
    text("folderKey", "Key of the folder.").needed().when(&[is("resource", &["folder"]), is("operation", &["delete"])]),
    switch("returnAll", "Whether all are given.").or_false().when(LISTED_BUCKETS),
    number("limit", "Most that are given.").or_number(100.0).when(&[
        is("resource", &["bucket"]),
        is("operation", &["getAll", "search"]),
        off("returnAll"),
    ]),
    switch("returnAll", "Whether all are given.").or_false().when(LISTED),
    number("limit", "Most that are given.").or_number(100.0).when(&[
        is("resource", &["file", "folder"]),
        is("operation", &["getAll"]),
        off("returnAll"),
    ]),
    list(
        "tagsUi",
        &[many("tagsValues", "Tag", &[text("key", "Name of the tag."), text("value", "Its value.")])],
        "Tags of the file.",
    )
    .called("Tags")
    .when(UPLOADED),
    collection(
        "additionalFields",
        &[
            ACCESS,
            STORAGE,
            text("parentFolderKey", "The folder in which it is stored."),
            text("prefix", "How names begin.").when(&[is("/resource", &["bucket"])]),
            text("region", "The region of the bucket.").when(&[is("/resource", &["bucket"])]),
            options(
                "serverSideEncryption",
                &[choice("AES256", "AES256"), choice("aws:kms", "AWS KMS")],
                "How the service encrypts it.",
            ),
            switch("requesterPays", "Whether who asks pays.").or_false(),
        ],
        "More that can be said.",
    ),
    collection(
        "options",
        &[text("folderKey", "The folder in which to look."), text("versionId", "The version of the file.")],
        "More that can be said.",
    ),
];
