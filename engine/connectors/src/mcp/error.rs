//! Why a server of the Model Context Protocol was of no use, in words for a workflow's author.

use std::time::Duration;

use timeloom_engine::node::NodeError;

/// Longest text of a server that an error tells, in characters.
const TOLD_CHARACTERS_MAX: usize = 1_000;

/// Why a server was of no use.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum McpError {
    /// It was not reached at all: what the policy for connections says, or the start of a command.
    #[error("{0}")]
    NotReached(Box<NodeError>),
    /// No answer came.
    #[error("the server could not be reached: {0}")]
    Unreachable(String),
    /// It answered with a status that tells of failure.
    #[error("the server answered {status}: {excerpt}")]
    Status {
        /// The status.
        status: u16,
        /// What it said.
        excerpt: String,
    },
    /// It wants us elsewhere.
    #[error("the server answered {0}: it sends us to another address, and redirects are not followed")]
    Redirected(u16),
    /// It knows the session no more.
    #[error("the server ended the session")]
    SessionGone,
    /// What it says is not the protocol.
    #[error("what the server answered is not the Model Context Protocol: {0}")]
    NotMcp(String),
    /// It answered something that was not asked.
    #[error("the server answered a question that was not asked")]
    OtherAnswer,
    /// It says too much.
    #[error("the server's answer has more than {0} bytes")]
    TooLarge(usize),
    /// It says too many things.
    #[error("the server sent more than {0} messages in place of an answer")]
    TooMany(usize),
    /// It went away.
    #[error("the server ended the connection before it answered")]
    BrokenOff,
    /// The stream of an answer broke off for good.
    #[error("the stream of the answer broke off, and the server does not let it be taken up again")]
    NotResumed,
    /// It wants messages sent to another server.
    #[error("the server wants messages sent to '{0}', which is not at its own address")]
    Elsewhere(String),
    /// It takes too long.
    #[error("the server did not answer within {} ms", .0.as_millis())]
    TooSlow(Duration),
    /// It speaks another revision.
    #[error("the server speaks the revision '{0}' of the protocol, which is not spoken here")]
    Revision(String),
    /// It answered with an error.
    #[error("the server refused: {message} ({code})")]
    Said {
        /// The error's number.
        code: i64,
        /// What it says.
        message: String,
    },
    /// Its list of tools cannot be used.
    #[error("the server's list of tools {0}")]
    List(String),
    /// It has no such tool.
    #[error("the server has no tool '{0}'")]
    NoTool(String),
    /// A tool failed, and says why.
    #[error("the tool failed: {0}")]
    Failed(String),
    /// What a tool gave is not what was promised.
    #[error("what the tool gave {0}")]
    Output(String),
}

impl McpError {
    /// Whether a server may have refused to begin because it speaks the transport of 2024: any refusal does but those that are about
    /// who asks, or how often.
    pub(super) fn is_of_older_transport(&self) -> bool {
        matches!(self, Self::Status { status, .. }
            if (400..500).contains(status) && !matches!(status, 401 | 403 | 407 | 408 | 429))
    }

    /// Whether the server wants to know who asks, or no longer takes what it was told of that. It did nothing then.
    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Status { status: 401, .. })
    }

    /// What to do about it.
    fn advice(&self) -> &'static str {
        match self {
            Self::NotReached(_) | Self::Failed(_) => "",
            Self::Unreachable(_) | Self::BrokenOff | Self::SessionGone => {
                "check the address, and whether the server is running"
            }
            Self::Status { status: 401 | 403, .. } => "choose a credential that the server lets in",
            Self::Status { .. } | Self::NotMcp(_) | Self::OtherAnswer => {
                "check that the address is that of a server of the protocol over HTTP: it often ends in /mcp, or in /sse"
            }
            Self::NotResumed => "look whether the tool did its work all the same, before you call it again",
            Self::Redirected(_) | Self::Elsewhere(_) => "give the address at which the server itself answers",
            Self::TooLarge(_) | Self::TooMany(_) => "ask the tool for less",
            Self::TooSlow(_) => "raise the timeout of the node, or ask the tool for less",
            Self::Revision(_) => "let the server speak 2025-03-26, 2025-06-18 or 2025-11-25",
            Self::Said { .. } => "look at what the tool takes: list the tools of the server",
            Self::List(_) => "the server has to be mended: its tools are not used",
            Self::NoTool(_) => "list the tools of the server, and take one of those names",
            Self::Output(_) => "the server has to be mended, or what it gives is not to be checked",
        }
    }
}

impl From<McpError> for NodeError {
    fn from(error: McpError) -> Self {
        if let McpError::NotReached(error) = error {
            return *error;
        }
        let (message, advice) = (told(&error.to_string()), error.advice());
        let failed = Self::api(message);
        if advice.is_empty() { failed } else { failed.described(advice) }
    }
}

/// What a server says, as much of it as an error tells.
pub(super) fn told(text: &str) -> String {
    text.chars().take(TOLD_CHARACTERS_MAX).collect()
}
