//! Files of this machine and of others, and commands there.

mod command;
mod ftp;
mod glob;
mod old;
mod read_write;
mod s3;
#[cfg(feature = "ssh")]
mod ssh;

use std::sync::Arc;

use timeloom_engine::node::SharedNodeType;

use crate::Settings;

/// The node types of files.
pub(crate) fn node_types(settings: &Settings) -> Vec<SharedNodeType> {
    vec![
        Arc::new(s3::S3::AWS),
        Arc::new(command::ExecuteCommand::new(settings)),
        Arc::new(ftp::Ftp),
        Arc::new(old::OldFile::new(old::Old::ReadOne, settings)),
        Arc::new(old::OldFile::new(old::Old::ReadMany, settings)),
        Arc::new(old::OldFile::new(old::Old::Write, settings)),
        Arc::new(read_write::ReadWriteFile::new(settings)),
        Arc::new(s3::S3::OTHERS),
        #[cfg(feature = "ssh")]
        Arc::new(ssh::Ssh::new(settings)),
    ]
}
